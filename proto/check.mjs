// Reads what others read, with what others read it with: AsyncAPI's own parser, and ajv.
import { readdirSync, readFileSync } from "node:fs";
import { Parser } from "@asyncapi/parser";
import Ajv from "ajv/dist/2020.js";
import formats from "ajv-formats";

const here = new URL(".", import.meta.url);
const read = (path) => readFileSync(new URL(path, here), "utf8");
const faults = [];

const { document, diagnostics } = await new Parser().parse(read("asyncapi.yaml"));
for (const each of diagnostics.filter((d) => d.severity <= 1)) {
  faults.push(`asyncapi.yaml ${each.path.join(".")}: ${each.message}`);
}
if (document && document.messages().length === 0) faults.push("asyncapi.yaml: no messages");

const ajv = new Ajv({ strict: true, strictTypes: false, allErrors: true });
formats(ajv);
const names = readdirSync(new URL("schemas/", here)).map((file) => file.split(".")[0]);
for (const name of names) {
  const validate = ajv.compile(JSON.parse(read(`schemas/${name}.schema.json`)));
  // Of the future: with a field, and values of enums, that are not declared today.
  for (const file of [`${name}.json`, `${name}.future.json`]) {
    if (!validate(JSON.parse(read(`examples/${file}`)))) {
      faults.push(`examples/${file}: ${ajv.errorsText(validate.errors)}`);
    }
  }
}

for (const fault of faults) console.error(fault);
console.log(`AsyncAPI ${document?.version() ?? "?"}: ${document?.messages().length ?? 0} messages; ${names.length} schemas`);
process.exit(faults.length ? 1 : 0);
