package import LVS
internal import CPcap
internal import Posix

/// A capture of a director that runs: asks its workers for the stories of packets that a filter wants,
/// and makes of them what a pcapng file holds, each packet as it came and as it left, with comments.
///
/// Bounded, however many packets come and however slowly the blocks are taken: what finds no room is
/// counted as lost. Used by one thread, which is no worker's.
package final class LiveCapture {
    /// What is wanted of how many packets.
    package struct Request: Sendable {
        /// Packets that came in; those that left because of them come with them.
        package var packets: Int
        /// Most bytes of the file.
        package var bytes: UInt64
        /// First bytes of each frame that are kept.
        package var frameBytes: Int
        package var filter: PacketFilter

        package init(packets: Int, bytes: UInt64, frameBytes: Int, filter: PacketFilter) {
            self.packets = packets
            self.bytes = bytes
            self.frameBytes = frameBytes
            self.filter = filter
        }
    }

    /// Why no more is captured.
    package enum End: String, Sendable {
        case packets
        case bytes
        case stopped
    }

    /// Memory for stories of one worker that have not been taken.
    private static let waitingBytes = 4 << 20
    /// Stories younger than this wait for those of other workers that are older, nanoseconds.
    private static let patience: UInt64 = 20_000_000
    /// More than a record has beside its packet and its comment.
    private static let besideBytes = 128
    /// Packets that are remembered because they may leave later.
    private static let mostKept = 4096

    /// Packets that came in and are in the blocks told so far.
    package private(set) var packets = 0
    /// Frames that left because of them.
    package private(set) var frames = 0
    /// Bytes of the blocks told so far.
    package private(set) var bytes: UInt64 = 0
    /// Packets, and frames that left, which found no room.
    package private(set) var lost: UInt64 = 0
    /// Why no more is captured; nil as long as it goes on.
    package private(set) var end: End?

    private let request: Request
    private let desks: [NarratorDesk]
    private let interfaces: [PortIndex: String]
    private var positions: [PortIndex: Int] = [:]
    private let output = Output()
    private let writer: CaptureWriter
    /// What is added to the engine's time for the time of day.
    private let clocks: Int64
    /// Stories that are not in blocks yet, by their time.
    private var waiting: ArraySlice<Waiting> = []
    /// Which packets of the file have not left yet, as far as the engine may keep them; bounded.
    private var kept: [KeptStory: UInt64] = [:]
    /// The same time for all that is told at once.
    private var now = Instant(nanoseconds: 0)

    private struct Waiting {
        var story: Story
        /// Position among the desks.
        var desk: Int
    }

    private struct KeptStory: Hashable {
        var desk: Int
        var number: UInt64
    }

    /// Where the writer leaves its bytes.
    private final class Output {
        var bytes: [UInt8] = []
    }

    /// Begins to capture; whatever else the workers were asked for at their desks is forgotten.
    package init(of director: Director, _ request: Request) throws(CaptureError) {
        self.request = request
        desks = director.workers.map(\.desk)
        clocks = cpcap_clock_difference()
        interfaces = Dictionary(
            director.ports.map { ($0.index, $0.name) }, uniquingKeysWith: { first, _ in first })
        // The host's own door is described when a frame has gone through it, which is seldom: it is no
        // interface of a replay's.
        let door = director.door
        let ports = director.ports.filter { $0.index != door }
        for (position, port) in ports.enumerated() { positions[port.index] = position }
        let output = output
        writer = try unsafe CaptureWriter(
            name: "the capture", format: .pcapng,
            interfaces: ports.map {
                CaptureInterface(
                    name: $0.name, linkType: LinkTypes.ethernet, snapshotLength: 0)
            }
        ) { bytes throws(SystemError) in
            unsafe output.bytes.append(contentsOf: bytes)
            return bytes.count
        }
        try writer.flush()
        let terms = Narrator.Terms(
            most: request.packets, frameBytes: request.frameBytes,
            waitingBytes: Self.waitingBytes, comparesServers: false, tellsReleases: true,
            sieve: request.filter.sieve)
        let filter = request.filter
        for desk in desks { desk.ask(terms) { filter.matches($0) } }
    }

    deinit { if end == nil { desks.forEach { $0.stop() } } }

    /// Takes what workers have told; to be called before a round of `next`.
    package func collect(now: Instant) {
        self.now = now
        guard end == nil else { return }
        // Who asks often, and takes nothing, leaves the stories where their memory is bounded.
        let held = waiting.reduce(0) { $0 + $1.story.memoryBytes }
        if held < Self.waitingBytes { take() }
    }

    /// Captures no more; what has come so far can still be taken.
    package func stop() { finish(.stopped) }

    private func finish(_ reason: End) {
        guard end == nil else { return }
        if reason == .stopped { take() } else { waiting = [] }
        end = reason
        desks.forEach { $0.stop() }
    }

    private func take() {
        var all = Array(waiting)
        for (number, desk) in desks.enumerated() {
            let delivery = desk.take()
            lost &+= delivery.lost
            all += delivery.stories.map { Waiting(story: $0, desk: number) }
        }
        waiting = all.sorted { $0.story.time < $1.story.time }[...]
    }

    /// Whole blocks of the file that come next, those of one packet at most; nil when there are none now.
    package func next() -> [UInt8]? {
        if output.bytes.isEmpty, let next = nextStory() {
            if next.story.isRelease { writeRelease(next) } else { write(next) }
        }
        guard !output.bytes.isEmpty else { return nil }
        defer { output.bytes = [] }
        bytes += UInt64(output.bytes.count)
        return output.bytes
    }

    private func nextStory() -> Waiting? {
        guard end == nil || end == .stopped, let next = waiting.first else { return nil }
        let time = next.story.time.nanoseconds
        guard end == .stopped || time &+ Self.patience <= now.nanoseconds else { return nil }
        guard packets < request.packets else {
            finish(.packets)
            return nil
        }
        return waiting.popFirst()
    }

    // MARK: Blocks

    private func write(_ next: Waiting) {
        let story = next.story
        let explanation = Explanation(story, interfaces: interfaces)
        let number = UInt64(packets + frames + 1)
        var records = [Record(story.arrived, .inbound, explanation.comment)]
        if story.verdict.kind == .send, let left = story.left {
            records.append(
                Record(left, .outbound, explanation.comment(on: left, of: number, place: nil)))
        }
        for made in story.made where made.verdict.kind == .send {
            let place = records.count
            records.append(
                Record(
                    made.sent, .outbound,
                    explanation.comment(on: made.sent, of: number, place: place)))
        }
        guard write(records, of: story) else { return }
        packets += 1
        frames += records.count - 1
        if story.mayWait {
            if kept.count == Self.mostKept { kept = [:] }
            kept[KeptStory(desk: next.desk, number: story.number)] = number
        }
        if packets == request.packets { finish(.packets) }
    }

    /// A frame that had to wait for its next hop to answer.
    private func writeRelease(_ next: Waiting) {
        guard let left = next.story.left else { return }
        let key = KeptStory(desk: next.desk, number: next.story.number)
        let name = kept.removeValue(forKey: key).map { "packet \($0)" } ?? "an earlier packet"
        let comment = "\(name) as it left, once its next hop had answered"
        if write([Record(left, .outbound, comment)], of: next.story) { frames += 1 }
    }

    /// False, and the end, where the file would be too long.
    private func write(_ records: [Record], of story: Story) -> Bool {
        let size = records.reduce(0) { $0 + $1.size + Self.besideBytes }
        guard bytes + UInt64(size) <= request.bytes else {
            finish(.bytes)
            return false
        }
        let time = Int64(clamping: story.time.nanoseconds) &+ clocks
        for record in records { write(record, at: time) }
        return true
    }

    private struct Record {
        var frame: Story.Sent
        var direction: CapturedPacket.Direction
        var comment: String

        init(
            _ frame: Story.Sent, _ direction: CapturedPacket.Direction, _ comment: String
        ) {
            self.frame = frame
            self.direction = direction
            self.comment = comment
        }

        var size: Int { frame.bytes.count + comment.utf8.count }
    }

    /// Nothing can fail: the sink takes everything, and a port that nobody has described is described.
    private func write(_ record: Record, at time: Int64) {
        do {
            let interface = try position(of: record.frame.port)
            let frame = record.frame
            try unsafe frame.bytes.withUnsafeBytes { bytes in
                try unsafe writer.write(
                    bytes, length: UInt32(clamping: frame.length), vlan: frame.vlan, time: time,
                    interface: interface, direction: record.direction,
                    comment: record.comment)
            }
            try writer.flush()
        } catch {
            lost &+= 1
        }
    }

    private func position(of port: PortIndex) throws(CaptureError) -> Int {
        if let position = positions[port] { return position }
        let name = interfaces[port] ?? "interface \(port)"
        let position = try writer.add(
            CaptureInterface(name: name, linkType: LinkTypes.ethernet, snapshotLength: 0))
        positions[port] = position
        return position
    }
}

extension Story {
    /// The engine has kept a frame, perhaps until a next hop answers.
    fileprivate var mayWait: Bool {
        verdict.kind == .consumed || made.contains { $0.verdict.kind == .consumed }
    }
}
