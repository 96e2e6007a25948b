package firewall

import (
	"slices"
	"strconv"
	"strings"

	"watchdog/probes/format/nftjson"
)

// closed are ports that have to be closed unless the site says otherwise: the
// stack's own listeners, administration, and one that stands for all the rest.
var closed = []uint16{22, 5432, 8443, 9000, 11434, 54321}

// ports lists every port worth asking about: closed ones, and all that a rule
// or a set speaks of, with the insides of ranges. A port that is open by name
// is among them, whatever it is.
func ports(rs nftjson.Ruleset, allowed []uint16) []uint16 {
	found := slices.Clone(closed)
	var collect func(e nftjson.Expr)
	collect = func(e nftjson.Expr) {
		switch e.Kind {
		case nftjson.Scalar:
			if n, err := strconv.ParseUint(e.Text, 10, 16); err == nil {
				found = append(found, uint16(n))
			}
		case nftjson.Range:
			low, err := strconv.ParseUint(e.Parts[0].Text, 10, 16)
			high, err2 := strconv.ParseUint(e.Parts[1].Text, 10, 16)
			if err == nil && err2 == nil && low < high {
				found = append(found, uint16(low), uint16(low+1), uint16(high-1), uint16(high))
			}
		default:
			for _, p := range e.Parts {
				collect(p)
			}
		}
	}
	for _, c := range rs.Chains {
		for _, r := range c.Rules {
			for _, s := range r.Statements {
				if !selectsPort(s.Left) {
					continue
				}
				collect(s.Right)
				for _, e := range s.Map {
					collect(e.Key)
				}
			}
		}
	}
	for _, s := range rs.Sets {
		if slices.Contains(s.Type, "inet_service") {
			for _, e := range s.Elements {
				collect(e.Key)
			}
		}
	}
	slices.Sort(found)
	found = slices.Compact(found)
	return slices.DeleteFunc(found, func(p uint16) bool { return p == 0 || slices.Contains(allowed, p) })
}

func selectsPort(e nftjson.Expr) bool {
	return strings.HasSuffix(e.Text, " dport") || slices.ContainsFunc(e.Parts, selectsPort)
}
