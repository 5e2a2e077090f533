package providers

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"
)

// pairingWord stands among the secrets while a sender is still to deliver the secret itself.
const pairingWord = "pairing"

// notionToken is the form of a verification token.
var notionToken = regexp.MustCompile(`^secret_[A-Za-z0-9]{16,128}$`)

// pairsNotion reports whether a request delivers the verification token, which comes once and unsigned.
// https://developers.notion.com/reference/webhooks#step-2-verifying-the-subscription
func pairsNotion(r *Request) bool { return verificationToken(r) != "" }

func verificationToken(r *Request) string {
	body, err := parseObject(r.Body)
	if err != nil {
		return ""
	}
	token, err := body.member("verification_token").text("verification_token")
	if err != nil || !notionToken.MatchString(token) {
		return ""
	}
	return token
}

// greetNotion keeps the token in a file for the operator, who pastes it at Notion and makes it the secret. It is shown
// nowhere else.
func greetNotion(p *Declared, r *Request) (*Greeting, error) {
	token, file := verificationToken(r), p.options["token_file"]
	switch {
	case !p.pairing || token == "":
		return nil, nil
	case file == "":
		return nil, noEvent("the verification token came, and there is no file to keep it in")
	}
	return &Greeting{Confirm: func(context.Context) error { return keepToken(file, token) }}, nil
}

// errOtherToken: while pairing anybody may post a token, so the first one stays.
var errOtherToken = errors.New("the file holds another token already; remove it to pair again")

// keepToken writes the token into the file. Its errors do not name the file: who takes the variable of its name for that of
// the token has put the token there.
func keepToken(file, token string) error {
	err := writeToken(file, token)
	if at := (*fs.PathError)(nil); errors.As(err, &at) {
		return fmt.Errorf("the file of the token, %s: %w", at.Op, at.Err)
	}
	return err
}

func writeToken(file, token string) error {
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		kept, err := os.ReadFile(file)
		if err == nil && string(kept) != token+"\n" {
			err = errOtherToken
		}
		return err
	}
	if err != nil {
		return err
	}
	_, err = f.WriteString(token + "\n")
	return errors.Join(err, f.Close())
}
