package main

import (
	"context"

	"github.com/compose-spec/compose-go/v2/cli"
)

// compose loads the files as `docker compose` does: by the specification's schema, with variables of the environment, and with
// references to services, volumes and secrets that are there.
func compose(files []string) (any, error) {
	options, err := cli.NewProjectOptions(files, cli.WithOsEnv, cli.WithConsistency(true))
	if err != nil {
		return nil, err
	}
	return options.LoadProject(context.Background())
}
