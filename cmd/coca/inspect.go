package main

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/seed-e0874532/coca"
	"github.com/seed-e0874532/coca/model"
)

type inspectObject struct {
	Config     model.Config   `json:"config"`
	Parameters int            `json:"parameters"`
	Tensors    []tensorObject `json:"tensors"`
}

type tensorObject struct {
	Name  string `json:"name"`
	Shape []int  `json:"shape"`
	DType string `json:"dtype"`
}

func (a *app) inspectCommand() *cobra.Command {
	var flags modelFlags
	var asJSON bool
	c := &cobra.Command{
		Use:     "inspect [flags]",
		Short:   "Show a model's config, tensors and costs",
		Long:    "Show a model's config, tensors and the operations it takes. The name of a built-in architecture is enough.",
		Example: "  coca inspect --model coca_ViT-L-14",
		Args:    nothing,
		RunE: func(c *cobra.Command, _ []string) error {
			s, tensors, err := a.describe(c, &flags)
			if err != nil {
				return err
			}
			object := inspectObject{Config: s.Config(), Tensors: tensors}
			for _, t := range tensors {
				n := 1
				for _, d := range t.Shape {
					n *= d
				}
				object.Parameters += n
			}
			if asJSON {
				return a.printJSON(object)
			}
			return a.printInspection(s, object)
		},
	}
	flags.add(c)
	c.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	return c
}

// describe loads a model, or only its architecture if it has no weights.
func (a *app) describe(c *cobra.Command, flags *modelFlags) (*coca.Spec, []tensorObject, error) {
	var list []tensorObject
	if model.IsNamed(flags.model) && flags.pretrained == "" {
		s, err := flags.spec(c.Context(), a)
		if err != nil {
			return nil, nil, err
		}
		for _, t := range model.Tensors(s.Config()) {
			list = append(list, tensorObject{t.Name, append([]int{}, t.Shape...), "F32"})
		}
		return s, list, nil
	}
	m, err := flags.load(c.Context(), a)
	if err != nil {
		return nil, nil, err
	}
	defer m.Close()
	for _, t := range m.Tensors() {
		list = append(list, tensorObject{t.Name, append([]int{}, t.Shape...), string(t.DType)})
	}
	return m.Spec, list, nil
}

func (a *app) printInspection(s *coca.Spec, object inspectObject) error {
	config, err := json.MarshalIndent(object.Config, "", "  ")
	if err != nil {
		return err
	}
	fmt.Fprintf(a.out, "model: %s\n", s.Name())
	if s.About() != "" {
		fmt.Fprintf(a.out, "\n%s\n", strings.TrimSpace(s.About()))
	}
	fmt.Fprintf(a.out, "\nconfig:\n%s\n\ntensors:\n", config)
	for _, t := range object.Tensors {
		fmt.Fprintf(a.out, "  %-60s %-5s %v\n", t.Name, t.DType, t.Shape)
	}
	fmt.Fprintf(a.out, "\nparameters: %d in %d tensors\n", object.Parameters, len(object.Tensors))
	costs, err := coca.CostsOf(s.Config())
	if err != nil {
		return err
	}
	for _, line := range []struct {
		what string
		cost coca.Cost
	}{{"an image", costs.Image}, {"a text", costs.Text}, {"a token of one beam", costs.Step},
		{fmt.Sprintf("a caption of %d ids", coca.CaptionIDs), costs.Caption}, {"as OpenCLIP 3.3.0", costs.Recomputed}} {
		_, err = fmt.Fprintf(a.out, "%-20s %9.3f GFLOP  %9.1f MB of operands (float32)\n", line.what, float64(line.cost.Flops)/1e9, float64(line.cost.Bytes)/1e6)
	}
	return err
}
