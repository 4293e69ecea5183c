//go:build tools

package tools

import (
	_ "github.com/cloudevents/sdk-go/protocol/nats_jetstream/v2"
	_ "github.com/cloudevents/sdk-go/v2"
	_ "github.com/nats-io/nats.go"
	_ "github.com/nats-io/natscli/nats"
)
