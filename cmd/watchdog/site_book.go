package main

import "watchdog/rules"

// bookModes is the mode of every code in the book of rules.
func bookModes() siteBook {
	b := siteBook{}
	for _, r := range rules.Table() {
		b[r.Code] = r.Mode
	}
	return b
}
