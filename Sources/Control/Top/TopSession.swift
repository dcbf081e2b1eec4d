internal import Posix

/// `directorctl top` on a terminal: draws, obeys keys and asks the director, each in its time.
struct TopSession {
    /// An answer, or why there is none.
    struct Answer: Sendable {
        var feed: TopFeed?
        var trouble = ""
        /// When it came, by the monotonic clock.
        var nanoseconds: UInt64

        /// Asks the director at a path, on a connection of its own: the next may be another one.
        init(path: String) {
            nanoseconds = MonotonicClock.now()
            do throws(ControlError) {
                let text = try ControlClient(path: path).text("live")
                nanoseconds = MonotonicClock.now()
                do throws(TopFeed.Garbled) {
                    feed = try TopFeed(text)
                } catch {
                    trouble = error.sentence
                }
            } catch {
                trouble = error.summary
            }
        }
    }

    private let options: TopOptions
    private let abilities: TopScreen.Abilities
    private var view: TopView
    private var reading: TopReading
    private var taken: UInt64
    private var trouble: String?
    private var count = 1

    /// Shows the director at `path` until it is told to end; refused when the first answer is.
    static func run(_ options: TopOptions, path: String) throws(CommandError) {
        let answer = Answer(path: path)
        guard let feed = answer.feed else {
            let text = "No director could be asked at \(path): \(answer.trouble)"
            throw CommandError(status: 1, text: text, endsRestore: false)
        }
        var session = TopSession(options, feed, answer.nanoseconds)
        do throws(SystemError) {
            try session.show(path)
        } catch {
            throw CommandError(status: 1, text: "top: \(error)", endsRestore: false)
        }
    }

    private init(_ options: TopOptions, _ feed: TopFeed, _ nanoseconds: UInt64) {
        self.options = options
        abilities = TopScreen.Abilities(
            hasColours: Environment.value("NO_COLOR") == nil
                && Environment.value("TERM") != "dumb",
            hasUnicode: !options.isASCII && Self.localeIsUTF8)
        view = options.view
        reading = TopReading(feed)
        taken = nanoseconds
    }

    /// What the first of these variables says (POSIX, 8.2).
    private static var localeIsUTF8: Bool {
        let value = ["LC_ALL", "LC_CTYPE", "LANG"].lazy.compactMap(Environment.value).first ?? ""
        return ["utf-8", "utf8"].contains { value.lowercased().contains($0) }
    }

    private enum Source: Int { case signals, answers, keys }

    private mutating func show(_ path: String) throws(SystemError) {
        let ends = [Signals.interrupt, Signals.terminate, Signals.hangUp]
        // Before the other thread, which must not take them.
        let signals = try Signals(ends + [Signals.windowChange])
        let fetcher = try Fetcher(name: "top") { Answer(path: path) }
        var poller = Poller()
        poller.add(signals.descriptor, token: Source.signals.rawValue)
        poller.add(fetcher.descriptor, token: Source.answers.rawValue)
        if Terminal.hasKeys { poller.add(Terminal.descriptor, token: Source.keys.rawValue) }
        let terminal = Terminal()
        let interval = UInt64(options.intervalSeconds * 1e9)
        var next = MonotonicClock.now() + interval
        var asked: UInt64?
        var typed: [UInt8] = []
        draw()
        while options.count.map({ count < $0 }) ?? true {
            var ready: Set<Int> = []
            let now = MonotonicClock.now()
            // While an answer is waited for, how long is told once a second.
            let wake = asked == nil ? next : now + 1_000_000_000
            try poller.wait(nanoseconds: Int64(wake > now ? wake - now : 0)) {
                ready.insert($0.token)
            }
            if ready.contains(Source.signals.rawValue) {
                while let signal = signals.next() { if ends.contains(signal) { return } }
            }
            if ready.contains(Source.keys.rawValue) {
                guard let bytes = terminal.keys() else { return }
                typed += bytes
                for key in TopKey.taken(from: &typed) {
                    switch view.obey(key, page: page) {
                    case .nothing: break
                    case .quit: return
                    case .redraw: Program.output("\u{1b}[2J")
                    case .suspend:
                        terminal.end()
                        Program.stop()
                        terminal.begin()
                    }
                }
            }
            if ready.contains(Source.answers.rawValue), let answer = fetcher.take() {
                asked = nil
                next = max(next + interval, MonotonicClock.now())
                take(answer)
            }
            let time = MonotonicClock.now()
            if let began = asked {
                let seconds = (time - began) / 1_000_000_000
                if seconds > 1 { trouble = "the director has not answered for \(seconds) s" }
            } else if view.isPaused {
                next = time + interval
            } else if time >= next {
                asked = time
                next = time
                fetcher.ask()
                // The answer is on its way: one drawing is enough for both.
                if ready.isEmpty { continue }
            }
            draw()
        }
    }

    private mutating func take(_ answer: Answer) {
        guard let feed = answer.feed else {
            trouble = "waiting for the director: \(answer.trouble)"
            return
        }
        count += 1
        let seconds = Double(answer.nanoseconds - taken) / 1e9
        trouble =
            feed.isOfAnotherDirector(than: reading.feed)
            ? "the director has been started anew" : nil
        reading = TopReading(feed, after: reading.feed, seconds: seconds)
        taken = answer.nanoseconds
    }

    private var screen: TopScreen {
        TopScreen(reading: reading, view: view, abilities: abilities, trouble: trouble)
    }

    private var size: (lines: Int, columns: Int) { Program.terminalSize ?? (24, 80) }

    private var page: Int { screen.page(lines: size.lines, columns: size.columns) }

    /// Draws over what is there, so that nothing flickers.
    private mutating func draw() {
        let size = size
        let (lines, scroll) = screen.lines(size.lines, columns: size.columns)
        view.scroll = scroll
        let text = lines.map { $0 + "\u{1b}[K" }.joined(separator: "\r\n")
        Program.output("\u{1b}[H\(text)\u{1b}[J")
    }
}

extension TopFeed.Garbled {
    var sentence: String {
        "the director's answer is not understood, line \(line): '\(text)'"
    }
}

extension ControlError {
    /// One line for a screen that goes on.
    fileprivate var summary: String {
        guard case .refused(let refusal) = self else {
            return detail ?? ErrorNumber(rawValue: number).reason
        }
        return refusal.number == .noSuchEntry
            ? "it is older than directorctl and tells no rates" : refusal.ownWords
    }
}
