package main

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path"
	"slices"
	"strings"

	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/common/util"
	"helm.sh/helm/v4/pkg/chart/v2/lint"
	"helm.sh/helm/v4/pkg/chart/v2/lint/support"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/engine"
	"sigs.k8s.io/yaml"
)

const (
	releaseName      = "pipes"
	releaseNamespace = "data"
)

// chart gives what Kubernetes would be told, by the template that says it. `schemas` is a folder with a schema for each kind,
// in which unknown keys are errors.
func chart(schemas, folder string, valueFiles []string) (any, error) {
	values := map[string]any{}
	for _, name := range valueFiles {
		file, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		more, err := loader.LoadValues(file)
		file.Close()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		values = loader.MergeMaps(values, more)
	}
	if err := lintStrictly(folder, values); err != nil {
		return nil, err
	}
	rendered, err := render(folder, values)
	if err != nil {
		return nil, err
	}
	return validated(schemas, rendered)
}

// lintStrictly is `helm lint --strict`: a warning counts.
func lintStrictly(folder string, values map[string]any) error {
	var wrong []error
	for _, message := range lint.RunAll(folder, values, releaseNamespace).Messages {
		if message.Severity >= support.WarningSev {
			wrong = append(wrong, message)
		}
	}
	return errors.Join(wrong...)
}

// render is `helm template`.
func render(folder string, values map[string]any) (map[string]string, error) {
	chart, err := loader.Load(folder)
	if err != nil {
		return nil, err
	}
	release := common.ReleaseOptions{Name: releaseName, Namespace: releaseNamespace, Revision: 1, IsInstall: true}
	all, err := util.ToRenderValues(chart, values, release, nil)
	if err != nil {
		return nil, err
	}
	return engine.Render(chart, all)
}

// validated gives the resources as values, by the template that each comes of.
func validated(schemas string, rendered map[string]string) (any, error) {
	judge := newJudge(schemas)
	resources := map[string]any{}
	var wrong []error
	for _, name := range slices.Sorted(maps.Keys(rendered)) {
		text := rendered[name]
		switch {
		case path.Base(name) == "NOTES.txt":
			resources["NOTES.txt"] = text
		case path.Ext(name) == ".yaml" && strings.TrimSpace(text) != "":
			// One resource is in one file: a second document would be looked over.
			if strings.Contains(text, "\n---") {
				wrong = append(wrong, fmt.Errorf("%s: more than one document", name))
			}
			var resource map[string]any
			err := yaml.UnmarshalStrict([]byte(text), &resource)
			if err == nil {
				err = judge.check(resource)
			}
			if err != nil {
				wrong = append(wrong, fmt.Errorf("%s: %w", name, err))
			}
			resources[path.Base(name)] = resource
		}
	}
	return resources, errors.Join(wrong...)
}
