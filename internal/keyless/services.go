package keyless

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	prototrust "github.com/sigstore/protobuf-specs/gen/pb-go/trustroot/v1"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/sign"

	"github.com/mcp-integrity/seal-action/seal/strictjson"
)

// Bounds of a signing config: the public one has 2 kB and at most three
// services of a kind. A list that fits is searched by operator and version, so
// its length is bounded apart from the file's.
const (
	maxSigningConfig = 256 << 10
	maxServices      = 32
	maxServiceURL    = 1 << 10
)

// What the services are called in everything that people read.
const (
	nameFulcio = "Fulcio"
	nameRekor  = "Rekor"
	nameTSA    = "timestamp authority"
)

// Service is one place that takes part in signing.
type Service struct {
	// Name says what it is: "Fulcio", "Rekor" or "timestamp authority".
	Name string
	// Operator is who runs it, as the signing config says; "" where unknown.
	Operator string
	// URL is the base URL, without a slash at its end; of a timestamp authority
	// the whole URL.
	URL string
	// Version is the major version of its API: of Rekor 1 or 2, else 1.
	Version uint32
}

// Host returns the host of the service's URL, with the port if the URL has one.
func (s Service) Host() string {
	u, err := url.Parse(s.URL)
	if err != nil {
		return ""
	}
	return strings.ToLower(u.Host)
}

// within says whether the service's host is domain or lies under it.
func (s Service) within(domain string) bool {
	u, err := url.Parse(s.URL)
	if err != nil || domain == "" {
		return false
	}
	host := strings.TrimSuffix(strings.ToLower(u.Hostname()), ".")
	return host == domain || strings.HasSuffix(host, "."+domain)
}

// String names the service for people: "Rekor (rekor.sigstore.dev)", with its
// operator where the host does not tell it.
func (s Service) String() string {
	if s.Operator == "" || s.within(s.Operator) {
		return fmt.Sprintf("%s (%.100s)", s.Name, s.Host())
	}
	return fmt.Sprintf("%s of %.100q (%.100s)", s.Name, s.Operator, s.Host())
}

// statusPages are where operators tell of outages.
var statusPages = map[string]string{
	"sigstore.dev":  "https://status.sigstore.dev",
	"githubapp.com": "https://www.githubstatus.com",
}

// statusPage returns where the service's operator tells of outages, or "".
func (s Service) statusPage() string {
	for domain, page := range statusPages {
		if s.within(domain) {
			return page
		}
	}
	return ""
}

// Services are where to sign: one certificate authority, and at least one of
// what proves the time of a signature. Every timestamp authority and every log
// here is asked, so each must answer.
type Services struct {
	CA   Service
	TSAs []Service
	Logs []Service
}

// PublicGoodServices returns Sigstore's public-good instance by the URLs that do
// not move: Fulcio, the timestamp authority, and Rekor's first version, whose
// entries every verifier reads. The instance's own signing config, which TUF
// brings, may name other logs.
func PublicGoodServices() *Services {
	const operator = "sigstore.dev"
	return &Services{
		CA:   Service{nameFulcio, operator, "https://fulcio.sigstore.dev", 1},
		TSAs: []Service{{nameTSA, operator, "https://timestamp.sigstore.dev/api/v1/timestamp", 1}},
		Logs: []Service{{nameRekor, operator, "https://rekor.sigstore.dev", 1}},
	}
}

// GitHubServices returns GitHub's own Sigstore, where private repositories
// sign: nothing of them stands in any public log.
func GitHubServices() *Services {
	const operator = "githubapp.com"
	return &Services{
		CA:   Service{nameFulcio, operator, "https://fulcio.githubapp.com", 1},
		TSAs: []Service{{nameTSA, operator, "https://timestamp.githubapp.com/api/v1/timestamp", 1}},
	}
}

// Public says whether signing there tells the world: Sigstore's public-good
// Fulcio writes the certificate, and with it repository and workflow, into a
// certificate transparency log, and Rekor the signature into its own. Its
// staging instance does the same.
func (s *Services) Public() bool {
	return slices.ContainsFunc(s.all(), func(one Service) bool {
		return one.Name != nameTSA && (one.within("sigstore.dev") || one.within("sigstage.dev"))
	})
}

func (s *Services) all() []Service {
	return slices.Concat([]Service{s.CA}, s.TSAs, s.Logs)
}

// String lists the services for people.
func (s *Services) String() string {
	var names []string
	for _, one := range s.all() {
		names = append(names, one.String())
	}
	return strings.Join(names, ", ")
}

// check says what is wrong with the set.
func (s *Services) check() error {
	if len(s.TSAs) == 0 && len(s.Logs) == 0 {
		return errors.New("neither a timestamp authority nor a log: nothing would prove the time of a signature")
	}
	for _, one := range s.all() {
		if err := checkServiceURL(one.URL); err != nil {
			return fmt.Errorf("%s: %w", one.Name, err)
		}
	}
	for _, log := range s.Logs {
		if !slices.Contains(sign.RekorAPIVersions, log.Version) {
			return fmt.Errorf("%s: API version %d, want 1 or 2", log, log.Version)
		}
		if log.Version >= 2 && len(s.TSAs) == 0 {
			return fmt.Errorf("%s has API version %d, which gives no time: a timestamp authority is needed beside it", log, log.Version)
		}
	}
	return nil
}

// checkServiceURL refuses what cannot be a service's address, and credentials
// in one, which would stand in every message.
func checkServiceURL(raw string) error {
	if len(raw) > maxServiceURL {
		return fmt.Errorf("URL of %d bytes, at most %d", len(raw), maxServiceURL)
	}
	u, err := url.Parse(raw)
	switch {
	case err != nil:
		return errors.New("the URL cannot be read")
	case u.Scheme != "https" && u.Scheme != "http":
		return fmt.Errorf("URL %.100q: want https:// or http://", u.Redacted())
	case u.Host == "" || u.Hostname() == "":
		return fmt.Errorf("URL %.100q names no host", u.Redacted())
	case u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return fmt.Errorf("URL %.100q: want no user, query or fragment", u.Redacted())
	}
	return nil
}

// ParseSigningConfig reads a signing_config.json of version 0.2 and selects
// from it, by its own selectors and as of now, where to sign. Services by http
// are taken as the file has them: whoever gives the file vouches for it.
func ParseSigningConfig(data []byte, now time.Time) (*Services, error) {
	s, err := parseSigningConfig(data, now)
	if err != nil {
		return nil, fmt.Errorf("signing config: %w", err)
	}
	return s, nil
}

func parseSigningConfig(data []byte, now time.Time) (*Services, error) {
	if len(data) > maxSigningConfig {
		return nil, fmt.Errorf("%d bytes, at most %d", len(data), maxSigningConfig)
	}
	if err := checkMediaType(data); err != nil {
		return nil, err
	}
	message, err := root.NewSigningConfigProtobuf(data)
	if err != nil {
		return nil, fmt.Errorf("%.300q", err)
	}
	if err := checkSelectors(message); err != nil {
		return nil, err
	}
	config, err := root.NewSigningConfigFromProtobuf(message)
	if err != nil {
		return nil, fmt.Errorf("%.300q", err)
	}
	return selectServices(config, now)
}

// checkSelectors refuses a list of services without a word on how many of them
// to ask: sigstore-go takes for granted that there is one.
func checkSelectors(config *prototrust.SigningConfig) error {
	switch {
	case len(config.GetRekorTlogUrls()) > 0 && config.GetRekorTlogConfig() == nil:
		return errors.New("rekorTlogUrls has no rekorTlogConfig, want a selector")
	case len(config.GetTsaUrls()) > 0 && config.GetTsaConfig() == nil:
		return errors.New("tsaUrls has no tsaConfig, want a selector")
	}
	return nil
}

const signingConfigType = "application/vnd.dev.sigstore.signingconfig.v0."

// checkMediaType tells the versions apart before a message of protobuf's about
// an unknown member hides that the file is merely old. It reads the JSON
// strictly: a member that stands twice is refused.
func checkMediaType(data []byte) error {
	var head struct {
		MediaType string `json:"mediaType"`
	}
	if err := strictjson.UnmarshalOpen(data, &head); err != nil {
		return err
	}
	switch head.MediaType {
	case root.SigningConfigMediaType02:
		return nil
	case signingConfigType + "1+json":
		return fmt.Errorf("mediaType %q: version 0.1 does not name the versions of its services; want %q, as \"cosign signing-config create\" writes it",
			head.MediaType, root.SigningConfigMediaType02)
	}
	return fmt.Errorf("mediaType: got %.100q, want %q", head.MediaType, root.SigningConfigMediaType02)
}

// selectServices takes the services that are valid now, as the config's own
// selectors say. A kind that the config does not list at all stays empty; one
// that it lists must have a service to offer.
func selectServices(config *root.SigningConfig, now time.Time) (*Services, error) {
	var s Services
	cas := config.FulcioCertificateAuthorityURLs()
	tsas, logs := config.TimestampAuthorityURLs(), config.RekorLogURLs()
	if n := max(len(cas), len(tsas), len(logs)); n > maxServices {
		return nil, fmt.Errorf("%d services of one kind, at most %d", n, maxServices)
	}
	ca, err := root.SelectService(cas, sign.FulcioAPIVersions, now)
	if err != nil {
		return nil, fmt.Errorf("caUrls: none of %d is valid on %s with an API version of %v", len(cas), now.UTC().Format(time.RFC3339), sign.FulcioAPIVersions)
	}
	s.CA = service(nameFulcio, ca)
	if s.TSAs, err = selectSome("tsaUrls", nameTSA, tsas, config.TimestampAuthorityURLsConfig, sign.TimestampAuthorityAPIVersions, now); err != nil {
		return nil, err
	}
	if s.Logs, err = selectSome("rekorTlogUrls", nameRekor, logs, config.RekorLogURLsConfig, sign.RekorAPIVersions, now); err != nil {
		return nil, err
	}
	return &s, s.check()
}

func selectSome(member, name string, from []root.Service, how func() root.ServiceConfiguration, versions []uint32, now time.Time) ([]Service, error) {
	if len(from) == 0 {
		return nil, nil
	}
	chosen, err := root.SelectServices(from, how(), versions, now)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", member, err)
	}
	services := make([]Service, len(chosen))
	for n, one := range chosen {
		services[n] = service(name, one)
	}
	return services, nil
}

func service(name string, s root.Service) Service {
	return Service{Name: name, Operator: s.Operator, URL: strings.TrimRight(s.URL, "/"), Version: s.MajorAPIVersion}
}
