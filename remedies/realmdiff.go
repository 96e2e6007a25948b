package remedies

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// A jsonObject is a thing of Keycloak's with all its fields, known or not.
type jsonObject map[string]any

// fieldsOf returns the JSON fields of a struct of ours.
func fieldsOf(v any) (jsonObject, error) {
	data, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encode %T: %w", v, err)
	}
	var fields jsonObject
	if err := json.Unmarshal(data, &fields); err != nil {
		return nil, fmt.Errorf("encode %T: %w", v, err)
	}
	return fields, nil
}

// differing returns the fields of want that got does not have so, as they are
// to be sent, and says in words what differs. Fields that want does not have
// are left out, so that Keycloak keeps them. Lists are compared as sets, which
// is how Keycloak gives them back.
//
// Of a map (attributes, a mapper's configuration) only want's keys count, an
// empty value being as good as none; it is returned with got's other keys,
// because Keycloak takes a map for the whole of it.
func differing(got, want jsonObject) (diff jsonObject, what []string) {
	diff = jsonObject{}
	for _, key := range slices.Sorted(maps.Keys(want)) {
		wanted, isMap := want[key].(map[string]any)
		if !isMap {
			if !sameValue(got[key], want[key]) {
				diff[key] = want[key]
				what = append(what, sentence(key, got[key], want[key]))
			}
			continue
		}
		had, _ := got[key].(map[string]any)
		merged := maps.Clone(had)
		if merged == nil {
			merged = map[string]any{}
		}
		for _, k := range slices.Sorted(maps.Keys(wanted)) {
			if !sameValue(had[k], wanted[k]) {
				merged[k], diff[key] = wanted[k], merged
				what = append(what, sentence(k, had[k], wanted[k]))
			}
		}
	}
	return diff, what
}

func sameValue(got, want any) bool {
	if empty(got) && empty(want) {
		return true
	}
	a, aok := stringsOf(got)
	b, bok := stringsOf(want)
	if aok && bok {
		return slices.Equal(a, b)
	}
	return reflect.DeepEqual(got, want)
}

// empty reports whether v says nothing: no field, "", or an empty list.
func empty(v any) bool {
	list, ok := v.([]any)
	return v == nil || v == "" || ok && len(list) == 0
}

// stringsOf returns a list of strings, sorted.
func stringsOf(v any) ([]string, bool) {
	list, ok := v.([]any)
	if !ok {
		return nil, false
	}
	out := make([]string, 0, len(list))
	for _, e := range list {
		s, ok := e.(string)
		if !ok {
			return nil, false
		}
		out = append(out, s)
	}
	slices.Sort(out)
	return out, true
}

// sentence says what becomes of a field: "set redirectUris to a, b (now c)".
func sentence(field string, got, want any) string {
	switch {
	case empty(got):
		return fmt.Sprintf("set %s to %s", field, show(want))
	case empty(want):
		return fmt.Sprintf("clear %s (now %s)", field, show(got))
	}
	return fmt.Sprintf("set %s to %s (now %s)", field, show(want), show(got))
}

func show(v any) string {
	if list, ok := stringsOf(v); ok {
		return strings.Join(list, ", ")
	}
	return fmt.Sprint(v)
}
