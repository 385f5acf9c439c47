package doctor

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"sync"
	"time"
)

const (
	// probeTimeout bounds one service: what takes longer to say hello will not
	// sign in time either.
	probeTimeout = 10 * time.Second
	// maxServices bounds the list: a signing config has a handful.
	maxServices = 32
	// maxSkew is how far our clock may be off. A Date header has whole seconds,
	// certificates live for ten minutes, and tokens for five.
	maxSkew = time.Minute
)

// answer is what one service said.
type answer struct {
	err    error
	status int
	took   time.Duration
	// skew is how far our clock is ahead of the service's, where it told.
	skew  time.Duration
	dated bool
}

// reach asks all services side by side, and reports them in their order.
func (e *examination) reach(ctx context.Context, services []Service) {
	if len(services) > maxServices {
		e.found("reach", Warn, fmt.Sprintf("only the first %d of %d services are looked at", maxServices, len(services)), "")
		services = services[:maxServices]
	}
	client := &http.Client{
		Transport: e.Transport,
		Timeout:   probeTimeout,
		// Whatever answers is there; where it would lead is not our question.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	answers := make([]answer, len(services))
	var wait sync.WaitGroup
	for n, s := range services {
		wait.Go(func() { answers[n] = e.probe(ctx, client, s) })
	}
	wait.Wait()
	for n, s := range services {
		e.reached(s, answers[n])
	}
	if len(services) > 0 {
		e.clock(answers)
	}
}

func (e *examination) probe(ctx context.Context, client *http.Client, s Service) answer {
	target, err := url.JoinPath(s.URL, s.Path)
	if err != nil {
		return answer{err: errors.New("its URL cannot be read")}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		return answer{err: errors.New("its URL cannot be asked")}
	}
	began := e.Now()
	resp, err := client.Do(req)
	if err != nil {
		// The outer error quotes the whole URL, which may hold a secret.
		if quoted, ok := errors.AsType[*url.Error](err); ok {
			err = quoted.Err
		}
		return answer{err: err}
	}
	resp.Body.Close()
	ended := e.Now()
	a := answer{status: resp.StatusCode, took: ended.Sub(began)}
	// A cache answers with the time at which it got the page.
	if date, err := http.ParseTime(resp.Header.Get("Date")); err == nil && resp.Header.Get("Age") == "" {
		a.dated, a.skew = true, began.Add(a.took/2).Sub(date)
	}
	return a
}

// reached counts any answer as one: each service has other pages for GET. An
// answer of 500 and above says that it is there and in trouble.
func (e *examination) reached(s Service, a answer) {
	name, host := "reach "+s.Name, hostOf(s.URL)
	switch {
	case a.err != nil:
		e.found(name, Unknown, fmt.Sprintf("%s does not answer: %v", host, a.err), "a firewall or a proxy may be between: HTTPS_PROXY, NO_PROXY and SSL_CERT_FILE are heeded")
	case a.status >= http.StatusInternalServerError:
		e.found(name, Warn, fmt.Sprintf("%s answers by HTTP %d", host, a.status), "the outage is theirs: wait for its end")
	default:
		e.found(name, OK, fmt.Sprintf("%s answers by HTTP %d in %d ms", host, a.status, a.took.Milliseconds()), "")
	}
}

// clock compares our clock with the services': the median, since one of them
// may be wrong itself.
func (e *examination) clock(answers []answer) {
	var skews []time.Duration
	for _, a := range answers {
		if a.dated {
			skews = append(skews, a.skew)
		}
	}
	if len(skews) == 0 {
		e.found("clock", Unknown, "no service told the time", "")
		return
	}
	slices.Sort(skews)
	skew := skews[len(skews)/2]
	off, where := skew, "ahead of"
	if skew < 0 {
		off, where = -skew, "behind"
	}
	seconds := strconv.Itoa(int(off.Round(time.Second).Seconds())) + " s"
	if off > maxSkew {
		e.found("clock", Fail, fmt.Sprintf("this machine's clock is %s %s the services': tokens and certificates will look expired, or not yet valid", seconds, where), "set it by NTP")
		return
	}
	e.found("clock", OK, "this machine's clock agrees with the services' to "+seconds, "")
}

func hostOf(raw string) string {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" {
		return "a host that cannot be read"
	}
	return u.Host
}
