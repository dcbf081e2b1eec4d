import Instruments
import Posix

/// A bar on standard error while a long capture is played; nothing where that is no terminal.
struct ReplayProgress {
    private static let width = 30
    private static let pause: UInt64 = 200_000_000

    private let capture: MergedCapture
    private let began = MonotonicClock.now()
    private var shown: UInt64
    private var isShown = false

    init(_ capture: MergedCapture) {
        self.capture = capture
        shown = began
    }

    /// Draws the bar anew five times a second; `packets` have been played.
    mutating func show(_ packets: UInt64) {
        let now = MonotonicClock.now()
        guard now > shown + Self.pause, Program.isErrorTerminal else { return }
        shown = now
        isShown = true
        let rate = Double(packets) / Double(now - began) * 1e9
        var line = "\r"
        if let total = capture.totalBytes, total > 0 {
            let part = min(1, Double(capture.bytesRead) / Double(total))
            let full = Int(part * Double(Self.width))
            line +=
                "[" + String(repeating: "#", count: full)
                + String(repeating: ".", count: Self.width - full) + "] \(Int(part * 100)) %  "
        }
        line += "packet \(packets)  \(Self.short(rate)) packets/s\u{1b}[K"
        Program.complain(line)
    }

    /// Clears the line.
    func end() {
        if isShown { Program.complain("\r\u{1b}[K") }
    }

    private static func short(_ rate: Double) -> String {
        rate >= 1e6
            ? "\(Double(Int(rate / 1e4)) / 100) M"
            : rate >= 1e3 ? "\(Double(Int(rate / 10)) / 100) k" : "\(Int(rate))"
    }
}
