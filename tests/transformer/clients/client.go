// Go's client with its defaults.
package main

import (
	"bytes"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
)

func main() {
	body, err := os.ReadFile(os.Args[2])
	if err != nil {
		log.Fatal(err)
	}
	for count := 0; count < 3; count++ {
		answer, err := http.Post(os.Args[1], "application/json", bytes.NewReader(body))
		if err != nil {
			log.Fatal(err)
		}
		text, err := io.ReadAll(answer.Body)
		if err != nil {
			log.Fatal(err)
		}
		answer.Body.Close()
		fmt.Println(string(text))
	}
}
