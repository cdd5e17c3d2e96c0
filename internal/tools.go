//go:build deps

package internal

import (
	_ "github.com/cockroachdb/pebble/v2"
	_ "github.com/go-json-experiment/json/jsontext"
	_ "github.com/linkedin/goavro/v2"
	_ "github.com/nyaruka/phonenumbers"
	_ "github.com/prometheus/client_golang/prometheus"
	_ "github.com/segmentio/kafka-go"
	_ "github.com/spf13/cobra"
	_ "github.com/testcontainers/testcontainers-go"
	_ "github.com/twmb/franz-go/pkg/kfake"
	_ "github.com/twmb/franz-go/pkg/kmsg"
	_ "go.yaml.in/yaml/v3"
)
