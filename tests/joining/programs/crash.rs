// Panics in many ways: `crash WAY CASE`. Without arguments: tells which.
use std::cell::RefCell;
use std::collections::HashMap;

#[derive(Debug)]
#[allow(dead_code)]
struct Order { id: u32, name: &'static str }

fn deep(n: u32) -> u32 { if n == 0 { None::<u32>.unwrap() } else { deep(n - 1) + 1 } }

const NAMES: [&str; 24] = ["text", "format", "lines", "not ASCII", "unwrap", "unwrap err", "expect", "expect err", "index", "slice", "str", "division", "overflow", "assert", "assert_eq", "assert_ne", "unreachable", "todo", "unimplemented", "borrow", "key", "deep", "struct", "capacity"];

fn run(name: &str) {
    let five = std::env::args().count() + 2; // which the compiler does not know
    match name {
        "text" => panic!("boom"),
        "format" => panic!("order {five} is gone"),
        "lines" => panic!("first\nsecond\nthird"),
        "not ASCII" => panic!("größer: 日本語"),
        "unwrap" => { None::<u32>.unwrap(); }
        "unwrap err" => { "x".parse::<u32>().unwrap(); }
        "expect" => { None::<u32>.expect("must be there"); }
        "expect err" => { std::fs::read("/nonexistent").expect("cannot read"); }
        "index" => { let a = vec![1]; println!("{}", a[five]); }
        "slice" => { let a = vec![1]; println!("{:?}", &a[five..]); }
        "str" => { let a = "é".repeat(five); println!("{}", &a[1..]); }
        "division" => println!("{}", 1 / (five - five)),
        "overflow" => println!("{}", (five as u8) * 100),
        "assert" => assert!(five == 1, "five is {five}"),
        "assert_eq" => assert_eq!(five, 1, "they differ"),
        "assert_ne" => assert_ne!(five, five),
        "unreachable" => unreachable!("never {five}"),
        "todo" => todo!(),
        "unimplemented" => unimplemented!("later"),
        "borrow" => { let a = RefCell::new(1); let _b = a.borrow_mut(); let _c = a.borrow(); }
        "key" => { let a: HashMap<&str, u32> = HashMap::new(); println!("{}", a["missing"]); }
        "deep" => { println!("{}", deep(9)); }
        "struct" => { Err::<u32, Order>(Order { id: 5, name: "a" }).unwrap(); }
        "capacity" => { let _a: Vec<u64> = Vec::with_capacity(usize::MAX); }
        _ => {}
    }
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    if args.len() == 1 {
        for way in ["uncaught", "with a backtrace", "in a thread"] {
            for (n, name) in NAMES.iter().enumerate() {
                if way == "uncaught" || n % 2 == 0 { println!("{way}\t{name}"); }
            }
        }
        return;
    }
    let name = args[2].clone();
    if args[1] == "in a thread" {
        let _ = std::thread::Builder::new().name("worker-1".into()).spawn(move || run(&name)).unwrap().join();
    } else {
        run(&name);
    }
}
