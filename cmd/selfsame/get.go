package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"selfsame/api"
	"selfsame/config"
	"selfsame/profile"
)

func newGet() *cobra.Command {
	var path, address, class, policy string
	var origins bool
	c := &cobra.Command{
		Use:   "get NAMESPACE:VALUE",
		Short: "Show the merged profile of an identity",
		Long: `Asks a running daemon for the merged profile that an identity belongs to,
and prints it as JSON. The value is normalised as in records: get email:ANN@EXAMPLE.ORG finds
ann@example.org.`,
		Example: "  selfsame get email:ann@example.org\n" +
			"  selfsame get cookie:4711 --provenance | jq .attributes",
		Args: exactly(1),
		RunE: func(c *cobra.Command, args []string) error {
			id, ok := profile.ParseIdentity(args[0])
			if !ok {
				return fmt.Errorf(
					"%w: want NAMESPACE:VALUE, such as email:ann@example.org",
					errUsage,
				)
			}
			client, err := apiClient(path, address)
			if err != nil {
				return err
			}
			q := api.ProfileQuery{Class: class, Namespace: id.Namespace, Value: id.Value,
				Policy: policy, Provenance: origins}
			answer, err := client.Profile(c.Context(), q)
			if err != nil {
				return err
			}
			return printJSON(os.Stdout, answer)
		},
	}
	configFlag(c, &path)
	addressFlag(c, &address)
	c.Flags().StringVar(&class, "class", "profile", "entity class")
	c.Flags().StringVar(&policy, "policy", "", "merge policy (default: the class's default)")
	c.Flags().BoolVar(&origins, "provenance", false, "show where each attribute came from")
	return c
}

// printJSON writes a daemon's answer for people.
func printJSON(w io.Writer, answer []byte) error {
	var pretty bytes.Buffer
	if err := json.Indent(&pretty, bytes.TrimSpace(answer), "", "  "); err != nil {
		return fmt.Errorf("reading the daemon's answer: %w", err)
	}
	pretty.WriteByte('\n')
	_, err := pretty.WriteTo(w)
	return err
}

// addressFlag adds the flag that names a daemon's API without a configuration.
func addressFlag(c *cobra.Command, address *string) {
	c.Flags().StringVar(address, "api", "",
		"address of the daemon's API (default: http.listen of the configuration)")
}

// apiClient reaches the daemon at address or, without one, where the configuration says.
func apiClient(path, address string) (*api.Client, error) {
	if address != "" {
		return api.NewClient(address, os.Getenv("SELFSAME_TOKEN")), nil
	}
	cfg, err := config.LoadOffline(path)
	if err != nil {
		return nil, fmt.Errorf(
			"%w\n(--api HOST:PORT reaches a daemon without its configuration)",
			err,
		)
	}
	o := cfg.HTTPOptions()
	return api.NewClient(o.Listen, o.Token), nil
}
