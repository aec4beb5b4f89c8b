// Panics in many ways: `crash WAY CASE`. Without arguments: tells which.
package main

import (
	"errors"
	"fmt"
	"log"
	"os"
	"reflect"
	"runtime/debug"
	"strings"
	"sync"
)

type order struct {
	id   int
	name string
}
type coded struct{ code int }

func (c coded) Error() string { return fmt.Sprintf("code %d", c.code) }

type named string

func (o *order) cancel() string { return o.name }

func deep(n int) int {
	if n == 0 {
		var m map[string]int
		m["a"] = 1
	}
	return deep(n-1) + 1
}

var zero int
var none *order
var some any = "text"

var names = []string{"text", "error", "wrapped", "coded", "struct", "named", "number", "float", "lines", "not ASCII", "nil", "index", "slice", "nil map", "nil pointer", "division", "assertion", "closed", "close of nil", "conversion", "reflect", "deep", "method", "deferred", "joined", "repeat", "goroutine", "unlock", "deadlock", "wait group"}
var cases = map[string]func(){
	"text":      func() { panic("boom") },
	"error":     func() { panic(errors.New("an error")) },
	"wrapped":   func() { panic(fmt.Errorf("outer: %w", errors.New("inner"))) },
	"coded":     func() { panic(coded{5}) },
	"struct":    func() { panic(order{5, "a"}) },
	"named":     func() { panic(named("a name")) },
	"number":    func() { panic(5) },
	"float":     func() { panic(1.5) },
	"lines":     func() { panic("first\nsecond\nthird") },
	"not ASCII": func() { panic("größer: 日本語") },
	"nil":       func() { panic(nil) },
	"index":     func() { _ = []int{1}[zero+5] },
	"slice":     func() { _ = []int{1}[zero+3:] },
	"nil map":   func() { var m map[string]int; m["a"] = 1 },
	"nil pointer": func() { _ = none.id },
	"division":    func() { _ = 1 / zero },
	"assertion":   func() { _ = some.(error) },
	"closed":      func() { c := make(chan int); close(c); c <- 1 },
	"close of nil": func() { var c chan int; close(c) },
	"conversion":  func() { _ = [4]int(make([]int, zero)) },
	"reflect":     func() { reflect.ValueOf(5).SetInt(6) },
	"deep":        func() { deep(9) },
	"method":      func() { none.cancel() },
	"deferred":    func() { defer func() { panic("second") }(); panic("first") },
	"joined":      func() { panic(errors.Join(errors.New("a"), errors.New("b"))) },
	"repeat":      func() { strings.Repeat("a", -1) },
	"goroutine":   func() { done := make(chan int); go func() { panic("elsewhere") }(); <-done },
	"unlock":      func() { var m sync.Mutex; m.Unlock() },
	"deadlock":    func() { <-make(chan int) },
	"wait group":  func() { var w sync.WaitGroup; w.Done() },
}

var ways = []string{"uncaught", "recovered and logged", "thrown again"}

func main() {
	log.SetFlags(log.LstdFlags | log.Lmsgprefix)
	if len(os.Args) == 1 {
		for _, way := range ways {
			for n, name := range names {
				if way == "uncaught" || n < 25 && n%2 == 0 {
					fmt.Printf("%s\t%s\n", way, name)
				}
			}
		}
		return
	}
	f := cases[os.Args[2]]
	switch os.Args[1] {
	case "uncaught":
		f()
	case "recovered and logged":
		defer log.New(os.Stderr, "\x1e", log.LstdFlags).Print("next")
		defer func() {
			r := recover()
			log.New(os.Stderr, "\x1e", log.LstdFlags).Printf("panic: %v\n%s", strings.ReplaceAll(fmt.Sprint(r), "\n", " "), debug.Stack())
		}()
		f()
	case "thrown again":
		defer func() { panic(recover()) }()
		f()
	}
}
