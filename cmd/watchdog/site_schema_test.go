package main

import (
	"bytes"
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/invopop/jsonschema"

	"watchdog/rules"
)

// smallest is the site file of the guide.
const smallest = `domain: breathtechnology.co.uk
hosts:
  idp:   {address: "2a02:8012:bc57:cafe::babe", roles: [keycloak]}
  homer: {address: "2a02:8012:bc57:c0d2::babe", roles: [ollama]}
`

// formComments reads the comments of site_form.go: "siteHost.Address", "siteHost".
func formComments(t *testing.T) map[string]string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "site_form.go", nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	comments := map[string]string{}
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.TypeSpec)
		if !ok {
			return true
		}
		for _, field := range spec.Type.(*ast.StructType).Fields.List {
			text := strings.TrimSpace(field.Doc.Text())
			if text == "" {
				t.Errorf("%s.%s has no comment", spec.Name, field.Names[0])
			}
			comments[spec.Name.Name+"."+field.Names[0].Name] = text
		}
		return true
	})
	return comments
}

// makeSchema makes the schema of the site file from the types of the form,
// their comments and tags, and the defaults that the smallest site gets.
func makeSchema(t *testing.T) []byte {
	t.Helper()
	comments := formComments(t)
	r := &jsonschema.Reflector{
		Anonymous: true, DoNotReference: true, FieldNameTag: "yaml", RequiredFromJSONSchemaTags: true,
		LookupComment: func(typ reflect.Type, field string) string { return comments[typ.Name()+"."+field] },
	}
	r.Mapper = func(typ reflect.Type) *jsonschema.Schema {
		switch typ {
		case reflect.TypeFor[siteDuration]():
			return &jsonschema.Schema{Type: "string", Pattern: `^([0-9]+d)?([0-9.]+(h|m|s|ms))*$`}
		case reflect.TypeFor[siteMap[siteHost]]():
			host := r.ReflectFromType(reflect.TypeFor[siteHost]())
			host.Version = ""
			return &jsonschema.Schema{Type: "object", AdditionalProperties: host, PropertyNames: &jsonschema.Schema{Pattern: siteShortName.String()}}
		case reflect.TypeFor[siteMap[rules.Mode]]():
			modes := &jsonschema.Schema{Type: "string", Enum: []any{rules.Auto, rules.Ask, rules.Observe}}
			return &jsonschema.Schema{Type: "object", AdditionalProperties: modes}
		}
		return nil
	}
	s := r.Reflect(siteForm{})
	s.Title = "watchdog site file"
	f, d := parseSite("smallest", []byte(smallest), siteBook{})
	if err := d.err(); err != nil {
		t.Fatal(err)
	}
	addDefaults(s, toJSON(t, f).(map[string]any))
	text, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return append(text, '\n')
}

// addDefaults writes single values of the smallest site's sections into their
// schemas; lists and hosts depend on the site.
func addDefaults(s *jsonschema.Schema, values map[string]any) {
	for p := s.Properties.Oldest(); p != nil; p = p.Next() {
		switch v := values[p.Key].(type) {
		case map[string]any:
			if p.Key != "hosts" {
				addDefaults(p.Value, v)
			}
		case string, float64:
			if p.Key != "domain" {
				p.Value.Default = v
			}
		}
	}
}

func toJSON(t *testing.T, f *siteForm) any {
	t.Helper()
	text, err := f.text()
	if err != nil {
		t.Fatal(err)
	}
	return yamlValue(t, text)
}

func yamlValue(t *testing.T, text []byte) any {
	t.Helper()
	data, err := yaml.YAMLToJSON(text)
	if err != nil {
		t.Fatal(err)
	}
	var v any
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func TestSiteSchemaIsCurrent(t *testing.T) {
	want := makeSchema(t)
	if *update {
		if err := os.WriteFile("site.schema.json", want, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if !bytes.Equal(want, siteSchemaText) {
		t.Error("site.schema.json is not what site_form.go says; run: go test ./cmd/watchdog -run TestSiteSchemaIsCurrent -update")
	}
}

// breaches holds a value against a schema, as far as ours go: types, keys,
// enumerations, patterns, bounds.
func breaches(schema map[string]any, v any, at string) []string {
	var bad []string
	say := func(what string) { bad = append(bad, at+": "+what) }
	switch want, is := schema["type"], jsonType(v); {
	case want == nil, want == is, want == "integer" && is == "number" && v == float64(int(v.(float64))):
	default:
		say("is " + is + ", not " + want.(string))
		return bad
	}
	if enum, ok := schema["enum"].([]any); ok && !slices.Contains(enum, v) {
		say("is none of the enumeration")
	}
	if s, ok := v.(string); ok && schema["pattern"] != nil && !regexp.MustCompile(schema["pattern"].(string)).MatchString(s) {
		say("does not match " + schema["pattern"].(string))
	}
	if n, ok := v.(float64); ok {
		if low, ok := schema["minimum"].(float64); ok && n < low {
			say("is too small")
		}
		if high, ok := schema["maximum"].(float64); ok && n > high {
			say("is too large")
		}
	}
	for i, item := range asList(v) {
		bad = append(bad, breaches(schema["items"].(map[string]any), item, at+"["+string(rune('0'+i))+"]")...)
	}
	if object, ok := v.(map[string]any); ok {
		bad = append(bad, objectBreaches(schema, object, at)...)
	}
	return bad
}

func objectBreaches(schema, object map[string]any, at string) []string {
	var bad []string
	for _, key := range asList(schema["required"]) {
		if _, ok := object[key.(string)]; !ok {
			bad = append(bad, at+" lacks "+key.(string))
		}
	}
	properties, _ := schema["properties"].(map[string]any)
	for _, key := range slices.Sorted(maps.Keys(object)) {
		next, ok := properties[key].(map[string]any)
		if !ok {
			next, ok = schema["additionalProperties"].(map[string]any)
		}
		if !ok {
			bad = append(bad, at+" has an unknown "+key)
			continue
		}
		bad = append(bad, breaches(next, object[key], at+"."+key)...)
	}
	return bad
}

func asList(v any) []any {
	list, _ := v.([]any)
	return list
}

func jsonType(v any) string {
	switch v.(type) {
	case map[string]any:
		return "object"
	case []any:
		return "array"
	case string:
		return "string"
	case float64:
		return "number"
	case bool:
		return "boolean"
	}
	return "null"
}

func siteSchemaValue(t *testing.T) map[string]any {
	t.Helper()
	var schema map[string]any
	if err := json.Unmarshal(siteSchemaText, &schema); err != nil {
		t.Fatal(err)
	}
	return schema
}

func TestSchemaTakesGoodSites(t *testing.T) {
	starter, err := starterText("", "", "")
	if err != nil {
		t.Fatal(err)
	}
	sites := map[string][]byte{"smallest": []byte(smallest), "starter": starter, "starter, all of it": uncomment(starter)}
	for _, name := range siteFiles(t, "good-*.yaml") {
		sites[name] = readFile(t, name)
	}
	for name, text := range sites {
		for _, what := range breaches(siteSchemaValue(t), yamlValue(t, text), "site") {
			t.Errorf("%s: %s", name, what)
		}
		f, d := parseSite(name, text, testBook)
		if err := d.err(); err != nil {
			t.Errorf("%s: %s", name, err)
			continue
		}
		for _, what := range breaches(siteSchemaValue(t), toJSON(t, f), "site") {
			t.Errorf("%s, as shown: %s", name, what)
		}
	}
}

func TestSchemaRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"hosts: {}\n": "site lacks domain",
		"domain: a.b\nhosts: {idp: {adress: x, roles: [keycloak]}}\n":               "site.hosts.idp lacks address",
		"domain: a.b\nhosts: {idp: {address: x, roles: [keycloack]}}\n":             "site.hosts.idp.roles[0]: is none of the enumeration",
		"domain: a.b\nhosts: {}\npostgres: {port: 70000}\n":                         "site.postgres.port: is too large",
		"domain: a.b\nhosts: {}\npostgres: {port: \"5432\"}\n":                      "site.postgres.port: is string, not integer",
		"domain: a.b\nhosts: {}\nacme: {renew_before: 3 weeks}\n":                   "site.acme.renew_before: does not match ^([0-9]+d)?([0-9.]+(h|m|s|ms))*$",
		"domain: a.b\nhosts: {}\nmodes: {service.dead: never}\n":                    "site.modes.service.dead: is none of the enumeration",
		"domain: a.b\nhosts: {}\nkeycloak: {heap: lots}\nadmin_password: hunter2\n": "site has an unknown admin_password",
	} {
		if got := breaches(siteSchemaValue(t), yamlValue(t, []byte(text)), "site"); !slices.Contains(got, want) {
			t.Errorf("%s\nwant: %s\n got: %q", text, want, got)
		}
	}
}
