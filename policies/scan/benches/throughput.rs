//! Megabytes a second of the scanner on what agents send and read, and microseconds for a small request.
#![allow(clippy::print_stdout, reason = "a benchmark tells its numbers")]

const SIZE: usize = 8 << 20;

struct Source(u64);

impl Source {
    fn next(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % below
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.next(from.len())]
    }
}

fn fill(seed: u64, mut piece: impl FnMut(&mut Source) -> String) -> String {
    let mut source = Source(seed);
    let mut text = String::with_capacity(SIZE + 1024);
    while text.len() < SIZE {
        text.push_str(&piece(&mut source));
    }
    text
}

const WORDS: &str = "the of and to a in that is was he for it with as his on be at by had not are but from or have an they which one you \
    were her all she there would their we him been has when who will more no if out so said what up its about into than them can only \
    other new some could time these two may then do first any my now such like our over man me even most made after also did many before \
    must through back years where much your way well down should because each just those people how too little state good very make world \
    still own see men work long get here between both life being under never day same another know while last might us great old year off \
    come since against go came right used take three himself few house use during without again place around however home small found \
    thought went say part once general high upon school every does got united number course war until always away something fact water \
    public though less put think almost hand enough far took head yet government system set better told nothing night end why called eyes \
    find going look asked later point knew next city business give group toward young days let room word side social given present several \
    order national possible rather second face per among form important often things looked early white case large four big need become";

/// What texts about agents say besides.
const AGENTS: &str = "agent agents assistant model models user users tool tools prompt answer ask must should read send call file server \
    context memory instructions AI LLM Claude conversation message task key token request approve";

fn sentence(s: &mut Source, words: &[&str]) -> String {
    let n = 6 + s.next(14);
    let mut text: Vec<&str> = (0..n).map(|_| s.pick(words)).collect();
    let last = text.pop().unwrap_or("end");
    format!("{} {last}{} ", text.join(" "), s.pick(&[".", ".", ",", "?", ".\n"]))
}

fn typescript(s: &mut Source) -> String {
    const NAMES: &[&str] = &[
        "user", "session", "request", "response", "config", "options", "result", "item", "index", "handler", "state",
        "props", "token", "key",
    ];
    const TYPES: &[&str] = &["string", "number", "boolean", "Promise<void>", "Record<string, unknown>", "Array<Item>"];
    let (a, b, c) = (s.pick(NAMES), s.pick(NAMES), s.pick(NAMES));
    match s.next(7) {
        0 => format!(
            "export async function {a}{b}({c}: {}, options?: {{ signal?: AbortSignal }}): Promise<{}> {{\n",
            s.pick(TYPES),
            s.pick(TYPES)
        ),
        1 => format!("  const {a} = await this.{b}.get{c}(`${{base}}/api/v1/${{{c}.id}}`);\n"),
        2 => format!("  if (!{a}.{b} || {a}.{c} === undefined) throw new Error('missing {b}');\n"),
        3 => format!("import {{ {a}, {b} as {c}Type }} from '../lib/{a}/{c}.js';\n"),
        4 => format!(
            "  return {{ ...{a}, {b}: {c}?.map(({a}) => {a}.{b}) ?? [], updatedAt: new Date().toISOString() }};\n}}\n\n"
        ),
        5 => format!("  // {a} is set before {b} so that {c} can be read by the next call\n"),
        _ => {
            format!("  private readonly {a}{b}: {} = new Map<{}, {}>();\n", s.pick(TYPES), s.pick(TYPES), s.pick(TYPES))
        }
    }
}

fn message(s: &mut Source, words: &[&str]) -> String {
    let text: String = (0..4).map(|_| sentence(s, words)).collect();
    let (id, input, output) = (s.0, s.next(9000), s.next(900));
    let code = typescript(s).replace('"', "\\\"");
    format!(
        "{{\"role\":\"{}\",\"content\":[{{\"type\":\"text\",\"text\":\"{}\\n```ts\\n{}```\\n\"}}],\"id\":\"msg_{:016x}\",\"usage\":{{\"input_tokens\":{},\"output_tokens\":{}}}}},",
        s.pick(&["user", "assistant"]),
        text.replace('\n', "\\n"),
        code.replace('\n', "\\n"),
        id,
        input,
        output
    )
}

fn base64(s: &mut Source) -> String {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let run: String = (0..200_000).map(|_| char::from(ALPHABET[s.next(64)])).collect();
    format!("{{\"type\":\"image\",\"media_type\":\"image/png\",\"data\":\"{run}\"}}\n")
}

/// Seconds that this thread has had of a processor; on a busy machine the clock on the wall tells little.
fn now() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

fn best_of(times: u32, mut run: impl FnMut() -> usize) -> (f64, usize) {
    let mut best = f64::MAX;
    let mut found = 0;
    for _ in 0..times {
        let start = now();
        found = run();
        best = best.min(now() - start);
    }
    (best, found)
}

fn main() {
    let start = now();
    rampart_scan::scan("warm");
    println!("{:<12} {:8.1} ms", "first scan", (now() - start) * 1e3);
    let words: Vec<&str> = WORDS.split_whitespace().collect();
    let on_agents: Vec<&str> = words.iter().copied().chain(AGENTS.split_whitespace()).collect();
    let texts = [
        ("prose", fill(1, |s| sentence(s, &words))),
        ("typescript", fill(2, typescript)),
        ("llm json", fill(3, |s| message(s, &words))),
        ("base64", fill(4, base64)),
        ("on agents", fill(5, |s| sentence(s, &on_agents))),
    ];
    for (name, text) in &texts {
        let (seconds, found) = best_of(5, || rampart_scan::scan(text).len());
        println!("{name:<12} {:8.0} MB/s  {found} findings", text.len() as f64 / seconds / 1e6);
    }
    for (name, text) in &texts {
        let request = &text[..1024];
        let (seconds, _) = best_of(5, || (0..1000).map(|_| rampart_scan::scan(request).len()).sum());
        println!("1 KB {name:<12} {:8.1} us", seconds * 1e3);
    }
    for size in [1024, 16 * 1024] {
        let text = texts[2].1.as_bytes();
        let (seconds, found) = best_of(3, || {
            let mut stream = rampart_scan::Stream::new();
            let found: usize = text.chunks(size).map(|c| stream.feed(c).len()).sum();
            found + stream.finish().len()
        });
        println!("stream {size:<6} {:8.0} MB/s  {found} findings", text.len() as f64 / seconds / 1e6);
    }
}
