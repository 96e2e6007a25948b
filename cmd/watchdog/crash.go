//go:build !drill

package main

// reached hears of the steps that must survive a crash. Only builds for drills
// (tag drill) do something there.
var reached func(step string)
