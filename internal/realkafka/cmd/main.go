// Command cmd runs a real Apache Kafka for development: it prints the broker's address and runs
// until it is interrupted. Its data goes with it.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"selfsame/internal/realkafka"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	cluster, err := realkafka.Run(nil)
	if err != nil {
		return err
	}
	fmt.Println(cluster.Addr)
	<-ctx.Done()
	return cluster.Close()
}
