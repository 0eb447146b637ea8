// Checks reads the files of deploy/ by the libraries of the programs that they are for, and prints what they come to as JSON.
//
//	checks chart SCHEMAS CHART VALUES...    lints and renders a chart, and holds what comes of it against Kubernetes' schemas
//	checks compose FILE...                  loads compose files, the later ones over the earlier ones
//
// It exits with 1 where something is wrong, and with 2 where it was called in another way.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
)

var errUsage = errors.New("usage: checks chart SCHEMAS CHART VALUES... | checks compose FILE...")

func main() {
	found, err := run(os.Args[1:])
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(found)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		if errors.Is(err, errUsage) {
			os.Exit(2)
		}
		os.Exit(1)
	}
}

func run(words []string) (any, error) {
	switch {
	case len(words) >= 3 && words[0] == "chart":
		return chart(words[1], words[2], words[3:])
	case len(words) >= 2 && words[0] == "compose":
		return compose(words[1:])
	default:
		return nil, errUsage
	}
}
