package main

import (
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// Where the schemas say that they are: they refer to each other by paths of this folder.
const schemaBase = "file:///api/"

// Kinds that Kubernetes itself does not have; they are read as YAML, and no more.
var foreignKinds = []string{"monitoring.coreos.com/v1 ServiceMonitor"}

// A judge holds resources against the schemas of a version of Kubernetes.
type judge struct {
	compiler *jsonschema.Compiler
}

// A folder of schemas, by the last part of their addresses.
type folder string

func (f folder) Load(address string) (any, error) {
	parsed, err := url.Parse(address)
	if err != nil {
		return nil, err
	}
	file, err := os.Open(filepath.Join(string(f), path.Base(parsed.Path)))
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return jsonschema.UnmarshalJSON(file)
}

func newJudge(schemas string) judge {
	compiler := jsonschema.NewCompiler()
	compiler.UseLoader(folder(schemas))
	return judge{compiler}
}

// check says what Kubernetes would refuse of a resource, as far as its schema tells; unknown keys are among that.
func (j judge) check(resource map[string]any) error {
	version, _ := resource["apiVersion"].(string)
	kind, _ := resource["kind"].(string)
	for _, foreign := range foreignKinds {
		if foreign == version+" "+kind {
			return nil
		}
	}
	schema, err := j.compiler.Compile(schemaBase + schemaName(version, kind))
	if err != nil {
		return fmt.Errorf("there is no `%s` of %s: %w", kind, version, err)
	}
	// The library reads numbers as it does itself.
	text, err := json.Marshal(resource)
	if err != nil {
		return err
	}
	value, err := jsonschema.UnmarshalJSON(strings.NewReader(string(text)))
	if err != nil {
		return err
	}
	return schema.Validate(value)
}

// schemaName is `deployment-apps-v1.json` for a Deployment of apps/v1.
func schemaName(version, kind string) string {
	group, version, isOfGroup := strings.Cut(version, "/")
	group, _, _ = strings.Cut(group, ".")
	name := strings.ToLower(kind) + "-" + group
	if isOfGroup {
		name += "-" + version
	}
	return name + ".json"
}
