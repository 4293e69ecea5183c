// Reads events as the Go SDK of CloudEvents does: lines of {headers, body}, and what it made of them.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"os"

	protocol "github.com/cloudevents/sdk-go/protocol/nats_jetstream/v2"
	"github.com/cloudevents/sdk-go/v2/binding"
	"github.com/nats-io/nats.go"
)

func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var line struct {
			Headers map[string]string
			Body    string
		}
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			panic(err)
		}
		message := &nats.Msg{Header: nats.Header{}, Data: []byte(line.Body)}
		for name, value := range line.Headers {
			message.Header.Set(name, value)
		}
		event, err := binding.ToEvent(context.Background(), protocol.NewMessage(message))
		if err != nil {
			panic(err)
		}
		if err := event.Validate(); err != nil {
			panic(err)
		}
		json.NewEncoder(os.Stdout).Encode(map[string]any{
			"id": event.ID(), "source": event.Source(), "type": event.Type(),
			"subject": event.Subject(), "datacontenttype": event.DataContentType(),
			"dataschema": event.DataSchema(), "time": event.Time(),
			"traceparent": event.Extensions()["traceparent"],
			"data": json.RawMessage(event.Data()),
		})
	}
}
