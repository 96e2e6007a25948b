package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"watchdog/packaging/lab"
	"watchdog/probes"
	"watchdog/remedies"
	"watchdog/rules"
	"watchdog/rules/engine"
)

func approveCommand(at places) *cobra.Command {
	var (
		site        siteFlags
		yes, asJSON bool
		hash        string
	)
	c := &cobra.Command{
		Use:   "approve [CODE [SUBJECT]]",
		Short: "Show what waits for a person's approval, and approve it",
		Long: `Without arguments: what the engine found a remedy for and may not run without a
person (mode ask), each with the plan as it is now. With a code: show that plan
and ask. What was shown is what is done: the approval names the plan by its hash,
counts for an hour and for one attempt, and a plan that is another one by then is
not run. With --yes or --plan nothing is asked.`,
		Args: func(c *cobra.Command, args []string) error { return badUsage(cobra.MaximumNArgs(2)(c, args)) },
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return codes(), cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(c *cobra.Command, args []string) error {
			switch {
			case len(args) == 0 && (yes || hash != ""):
				return usagef("say what to approve: watchdog approve CODE [SUBJECT]")
			case len(args) > 0 && asJSON:
				return usagef("--json is for the list")
			case len(args) > 0 && !slices.Contains(codes(), args[0]):
				return usagef("no code %q%s", args[0], didYouMean(args[0], codes()))
			}
			m, err := site.openAsRoot(c, "plans and approves what changes this host")
			if err != nil {
				return err
			}
			byID, err := m.remediesByID()
			if err != nil {
				return err
			}
			a := approver{
				snapshot: at.snapshot, now: m.host.Now, file: filepath.Join(at.state, approvedFile),
				plan: func(ctx context.Context, id string) (remedies.Plan, error) { return m.planOf(ctx, byID, id) },
				in:   c.InOrStdin(), out: c.OutOrStdout(),
			}
			return a.run(c, args, consent{yes: yes, plan: hash}, asJSON)
		},
	}
	site.add(c)
	c.Flags().BoolVar(&yes, "yes", false, "approve the plan as it is now, without asking")
	c.Flags().StringVar(&hash, "plan", "", "approve the plan of this `hash` only, without asking")
	c.Flags().BoolVar(&asJSON, "json", false, "print the list as JSON")
	return c
}

// An approver shows plans to a person and writes down what the person says.
type approver struct {
	snapshot func(context.Context) (engine.Snapshot, error)
	plan     func(ctx context.Context, remedy string) (remedies.Plan, error)
	file     string // of approvals
	now      func() time.Time
	in       io.Reader
	out      io.Writer
}

// consent is how a person agrees: by being asked, or on the command line.
type consent struct {
	yes  bool
	plan string // the hash of the one plan that is agreed to
}

func (a approver) run(c *cobra.Command, args []string, agreed consent, asJSON bool) error {
	ctx, cancel := context.WithTimeout(c.Context(), askTime)
	defer cancel()
	snap, err := a.snapshot(ctx)
	if err != nil {
		return cannotTell(c, err)
	}
	if len(args) == 0 {
		return a.list(c.Context(), snap, asJSON)
	}
	f, err := waiting(snap, probes.Code(args[0]), strings.Join(args[1:], ""))
	if err != nil {
		return err
	}
	return a.approve(c.Context(), f, agreed)
}

// A proposal is what waits for approval, for showing.
type proposal struct {
	Code    probes.Code `json:"code"`
	Subject string      `json:"subject,omitempty"`
	Summary string      `json:"summary"`
	Remedy  string      `json:"remedy"`
	Plan    string      `json:"plan,omitempty"` // its hash
	Does    []string    `json:"does"`
	Diff    string      `json:"diff,omitempty"`
	Error   string      `json:"error,omitempty"` // why it can't be planned
}

// proposals is the list as JSON, schema 1.
type proposals struct {
	Schema  int        `json:"schema"`
	Host    string     `json:"host"`
	Waiting []proposal `json:"waiting"`
}

func (a approver) propose(ctx context.Context, f engine.FaultState) proposal {
	p := proposal{Code: f.Fault.Code, Subject: f.Fault.Subject, Summary: f.Summary, Remedy: f.Action.Remedy, Does: []string{}}
	plan, err := a.plan(ctx, p.Remedy)
	switch {
	case err != nil:
		p.Error = err.Error()
	case plan.Empty() || plan.OnlyWaits():
		p.Error = "there is nothing to do: what is wrong is not what this remedy changes"
	default:
		p.Plan, p.Does, p.Diff = plan.Hash(), plan.Lines(), plan.Diff()
	}
	return p
}

func (p proposal) print(w io.Writer) {
	fmt.Fprintf(w, "%s: %s\n  by %s", rules.On(p.Code, p.Subject), p.Summary, p.Remedy)
	if p.Error != "" {
		fmt.Fprintf(w, ": %s\n", p.Error)
		return
	}
	fmt.Fprintf(w, ", plan %s\n", p.Plan)
	printPlan(w, p.Does, p.Diff)
}

// list shows all that waits.
func (a approver) list(ctx context.Context, snap engine.Snapshot, asJSON bool) error {
	all := []proposal{}
	for _, f := range snap.Faults {
		if f.Action.Kind == rules.Asking {
			all = append(all, a.propose(ctx, f))
		}
	}
	if asJSON {
		if err := printJSON(a.out, proposals{1, snap.Host, all}); err != nil {
			return err
		}
	} else if len(all) == 0 {
		fmt.Fprintln(a.out, "nothing waits for approval")
	}
	for _, p := range all {
		if !asJSON {
			p.print(a.out)
			fmt.Fprintf(a.out, "  watchdog approve %s\n\n", rules.On(p.Code, p.Subject))
		}
	}
	if len(all) > 0 {
		return exitCode(exitFindings)
	}
	return nil
}

// waiting finds the one fault that a command line means.
func waiting(snap engine.Snapshot, code probes.Code, subject string) (engine.FaultState, error) {
	var asking, others []engine.FaultState
	for _, f := range snap.Faults {
		switch {
		case f.Fault.Code != code || subject != "" && f.Fault.Subject != subject:
		case f.Action.Kind == rules.Asking:
			asking = append(asking, f)
		default:
			others = append(others, f)
		}
	}
	switch {
	case len(asking) == 1:
		return asking[0], nil
	case len(asking) > 1:
		var subjects []string
		for _, f := range asking {
			subjects = append(subjects, f.Fault.Subject)
		}
		return engine.FaultState{}, usagef("%s waits for approval with the subjects %s: name one", code, strings.Join(subjects, ", "))
	case len(others) > 0:
		f := others[0]
		return engine.FaultState{}, fmt.Errorf("%s does not wait for approval: %s: %s", f.Fault, f.Action.Kind, f.Action.Reason)
	}
	return engine.FaultState{}, fmt.Errorf("there is no %s now", rules.On(code, subject))
}

func (a approver) approve(ctx context.Context, f engine.FaultState, agreed consent) error {
	p := a.propose(ctx, f)
	p.print(a.out)
	switch {
	case p.Error != "":
		return exitCode(exitFindings)
	case agreed.plan != "" && agreed.plan != p.Plan:
		return fmt.Errorf("the plan is another one by now: %s, not %s; nothing is approved", p.Plan, agreed.plan)
	case agreed.plan == "" && !agreed.yes:
		if !lab.IsTerminal(a.in) {
			return usagef("no terminal to ask on: give --yes, or --plan %s", p.Plan)
		}
		if !a.ask("Approve this plan? [y/N] ") {
			return errors.New("not approved")
		}
	}
	now := a.now()
	if err := writeApproved(a.file, f.Fault, rules.Approval{Remedy: p.Remedy, Plan: p.Plan, At: now}); err != nil {
		return err
	}
	fmt.Fprintf(a.out, "approved: plan %s, for one attempt until %s; watchdog status follows it\n", p.Plan, now.Add(rules.ApprovalLasts).Local().Format(time.TimeOnly))
	return nil
}

func (a approver) ask(question string) bool {
	fmt.Fprint(a.out, question)
	line, _ := bufio.NewReader(a.in).ReadString('\n') // no answer is no
	answer := strings.ToLower(strings.TrimSpace(line))
	return answer == "y" || answer == "yes"
}
