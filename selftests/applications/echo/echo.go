// SPDX-License-Identifier: GPL-2.0

// echo serve PORT | run HOST PORT COUNT: HTTP, by Go. The server sends back
// what is posted; the client prints the checksum of all answers in order.
package main

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"strconv"
	"sync"
	"time"
)

const atOnce = 4

var sizes = []int{1, 1000, 16384, 100000, 65537}

func body(i int) []byte {
	size := sizes[i%len(sizes)]
	word := []byte(fmt.Sprintf("%08d,", i))
	return bytes.Repeat(word, size/len(word)+1)[:size]
}

func serve(port string) {
	echo := func(w http.ResponseWriter, r *http.Request) {
		data, err := io.ReadAll(r.Body)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		w.Header().Set("Content-Length", strconv.Itoa(len(data)))
		w.Write(data)
	}
	log.Fatal(http.ListenAndServe(":"+port, http.HandlerFunc(echo)))
}

func ask(client *http.Client, url string, i int) []byte {
	answer, err := client.Post(fmt.Sprintf("%s/%d", url, i), "text/plain",
		bytes.NewReader(body(i)))
	if err != nil {
		log.Fatal(err)
	}
	defer answer.Body.Close()
	data, err := io.ReadAll(answer.Body)
	if err != nil {
		log.Fatal(err)
	}
	return data
}

func run(url string, count int) {
	client := &http.Client{Transport: &http.Transport{
		MaxConnsPerHost: atOnce, MaxIdleConnsPerHost: atOnce}}
	answers := make([][]byte, count)
	numbers := make(chan int)
	var workers sync.WaitGroup
	begin := time.Now()
	for range atOnce {
		workers.Add(1)
		go func() {
			defer workers.Done()
			for i := range numbers {
				answers[i] = ask(client, url, i)
			}
		}()
	}
	for i := range count {
		numbers <- i
	}
	close(numbers)
	workers.Wait()
	seconds := time.Since(begin).Seconds()
	hash := sha256.Sum256(bytes.Join(answers, nil))
	fmt.Printf("%x %d %f\n", hash, count, seconds)
}

func main() {
	words := os.Args[1:]
	if len(words) == 2 && words[0] == "serve" {
		serve(words[1])
	}
	if len(words) != 4 {
		log.Fatal("usage: echo serve PORT | run HOST PORT COUNT")
	}
	count, err := strconv.Atoi(words[3])
	if err != nil {
		log.Fatal(err)
	}
	run("http://"+words[1]+":"+words[2], count)
}
