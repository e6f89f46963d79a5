// What net/http of Go reads of requests: `go run parsers.go < cases > readings`, as parsers.py has it.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
)

type request struct {
	Method  string      `json:"method"`
	Target  string      `json:"target"`
	Headers [][2]string `json:"headers"`
	Body    string      `json:"body"`
}

// Text with each byte a character, as JSON has it.
func decode(bytes string) string {
	runes := make([]rune, len(bytes))
	for at := range len(bytes) {
		runes[at] = rune(bytes[at])
	}
	return string(runes)
}

func encode(text string) string {
	var bytes strings.Builder
	for _, character := range text {
		bytes.WriteByte(byte(character))
	}
	return bytes.String()
}

func read(raw string) any {
	requests := []request{}
	reader := bufio.NewReader(strings.NewReader(encode(raw)))
	for {
		message, err := http.ReadRequest(reader)
		if errors.Is(err, io.EOF) {
			return requests
		}
		if err != nil {
			return err.Error()
		}
		body, err := io.ReadAll(message.Body)
		if err != nil {
			return err.Error()
		}
		// Go keeps these two apart from the fields.
		headers := [][2]string{{"host", decode(message.Host)}}
		for _, coding := range message.TransferEncoding {
			headers = append(headers, [2]string{"transfer-encoding", coding})
		}
		for name, values := range message.Header {
			for _, value := range values {
				headers = append(headers, [2]string{strings.ToLower(name), decode(value)})
			}
		}
		requests = append(requests, request{message.Method, decode(message.RequestURI), headers, decode(string(body))})
	}
}

func main() {
	var cases []struct{ Raw string }
	if err := json.NewDecoder(os.Stdin).Decode(&cases); err != nil {
		panic(err)
	}
	readings := make([]any, len(cases))
	for at, one := range cases {
		readings[at] = read(one.Raw)
	}
	json.NewEncoder(os.Stdout).Encode(readings)
}
