// Reads events as the JavaScript SDK of CloudEvents does: lines of {headers, body}.
import { createInterface } from "node:readline";
import { HTTP } from "cloudevents";

for await (const line of createInterface({ input: process.stdin })) {
  const event = HTTP.toEvent(JSON.parse(line));
  event.validate();
  const { id, source, type, subject, datacontenttype, dataschema, time, traceparent, data } = event;
  console.log(
    JSON.stringify({ id, source, type, subject, datacontenttype, dataschema, time, traceparent, data }),
  );
}
