package firewall

import "strings"

// numbers of what nft prints by name (nft describe icmpv6 type; IANA).
var numbers = map[string]map[string]string{
	"icmpv6 type": {
		"destination-unreachable": "1", "packet-too-big": "2", "time-exceeded": "3", "parameter-problem": "4",
		"echo-request": "128", "echo-reply": "129", "mld-listener-query": "130", "mld-listener-report": "131",
		"mld-listener-done": "132", "mld-listener-reduction": "132", "nd-router-solicit": "133",
		"nd-router-advert": "134", "nd-neighbor-solicit": "135", "nd-neighbor-advert": "136", "nd-redirect": "137",
		"router-renumbering": "138", "ind-neighbor-solicit": "141", "ind-neighbor-advert": "142", "mld2-listener-report": "143",
	},
	"icmpv6 code": {
		"no-route": "0", "admin-prohibited": "1", "addr-unreachable": "3", "port-unreachable": "4",
		"policy-fail": "5", "reject-route": "6",
	},
	"protocol": {
		"icmp": "1", "igmp": "2", "tcp": "6", "udp": "17", "dccp": "33", "esp": "50", "ah": "51",
		"icmpv6": "58", "ipv6-icmp": "58", "sctp": "132", "udplite": "136",
	},
}

// numberOf gives the number that nft's word stands for at a selector; a word
// that is none stays as it is.
func numberOf(selector, word string) string {
	switch {
	case selector == "meta l4proto", strings.HasSuffix(selector, " nexthdr"), strings.HasSuffix(selector, " protocol") && selector != "meta protocol":
		selector = "protocol"
	}
	if n, ok := numbers[selector][word]; ok {
		return n
	}
	return word
}
