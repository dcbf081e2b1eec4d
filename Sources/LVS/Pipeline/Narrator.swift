/// Listens to a worker and keeps the stories of packets: what `explain` and captures are made from.
///
/// A worker that has one asks it in cold places only, and takes its last wave packet by packet; without
/// one it does neither. What packets get is the same. Used by the worker's thread alone.
package final class Narrator {
    /// Which packets are told of, by their place in the burst and as they were parsed.
    package typealias Filter = (_ position: Int, _ packet: Packet) -> Bool

    /// How much is kept, and of how many packets.
    package struct Terms: Sendable {
        /// Stories after which the narrator is full.
        package var most: Int
        /// First bytes of each frame that are kept.
        package var frameBytes: Int
        /// Bytes of memory for stories that nobody has taken yet: what finds no room is counted.
        package var waitingBytes: Int
        /// Whether a scheduler's decision names all servers; otherwise the chosen one alone.
        package var comparesServers: Bool
        /// Whether a frame that has waited for its next hop is told of once more when it leaves.
        package var tellsReleases: Bool
        /// What the filter is not asked about.
        package var sieve: PacketSieve

        package init(
            most: Int, frameBytes: Int = .max, waitingBytes: Int = .max,
            comparesServers: Bool = true, tellsReleases: Bool = false,
            sieve: PacketSieve = PacketSieve()
        ) {
            self.most = most
            self.frameBytes = frameBytes
            self.waitingBytes = waitingBytes
            self.comparesServers = comparesServers
            self.tellsReleases = tellsReleases
            self.sieve = sieve
        }
    }

    /// The stories so far, in the order of the packets.
    package private(set) var stories: [Story] = []
    let terms: Terms
    /// When the burst at hand came.
    private var now = Instant(nanoseconds: 0)
    /// Bytes that stories of the burst at hand may take.
    private var room = Int.max
    /// Packets, and frames made because of one, that have found no room.
    private var lost: UInt64 = 0
    private let filter: Filter
    private var current: Story?
    /// Stories told so far, those that were taken included.
    private var told = 0
    /// Number of the last story before the first one of this narrator's.
    private var storiesBefore: UInt64 = 0

    /// A narrator that keeps the first `most` stories of packets that the filter wants.
    package convenience init(most: Int = 64, filter: @escaping Filter = { _, _ in true }) {
        self.init(Terms(most: most), filter: filter)
    }

    /// A narrator that keeps as much as its terms say.
    package init(_ terms: Terms, filter: @escaping Filter) {
        self.terms = terms
        self.filter = filter
    }

    /// No more stories are kept.
    package var isFull: Bool { told >= terms.most }

    /// The stories, which the narrator then has no more.
    package func takeStories() -> [Story] {
        defer { stories = [] }
        return stories
    }

    /// How many were lost since the last call.
    func takeLost() -> UInt64 {
        defer { lost = 0 }
        return lost
    }

    /// Number of the last story, by the worker's count.
    var lastStory: UInt64 { storiesBefore &+ UInt64(told) }

    /// Has the first story follow the one of this number.
    func count(from number: UInt64) { storiesBefore = number }

    /// Begins a burst, while stories of so many bytes wait already.
    func begin(at now: Instant, waiting bytes: Int) {
        self.now = now
        room = terms.waitingBytes &- bytes
    }

    /// True while the packet at hand is told of.
    var isTelling: Bool { current != nil }

    /// Adds a step to the story of the packet at hand; nothing when it is not told of.
    func note(_ step: @autoclosure () -> Step) {
        guard current != nil else { return }
        var step = step()
        if !terms.comparesServers, case .scheduled(let scheduling) = step {
            step = .scheduled(scheduling.withoutComparison)
        }
        current?.steps.append(step)
    }

    /// Whether a packet is to be told of, asked before anything is done with it.
    func wants(_ position: Int, _ packet: Packet) -> Bool {
        terms.sieve.passes(packet) && filter(position, packet)
    }

    /// The number of the story at hand, for what waits and is told of once more; nil for what is not.
    var waitingStory: UInt64? { terms.tellsReleases && isTelling ? lastStory &+ 1 : nil }

    /// Tells of a frame that leaves after it has waited, as part of the story of this number.
    ///
    /// It counts as no story of its own, and stories of an earlier narrator are none of this one's.
    func tellRelease(of frame: Frame, _ number: UInt64) {
        guard terms.tellsReleases, number > storiesBefore else { return }
        guard room > 0 else {
            lost &+= 1
            return
        }
        let sent = Story.Sent(frame, most: terms.frameBytes)
        var story = Story(
            number: number, position: Burst.capacity, time: now, arrived: sent,
            carriedMark: frame.mark)
        story.left = sent
        story.verdict = frame.verdict
        room &-= story.memoryBytes
        stories.append(story)
    }

    /// Begins the story of a packet that is wanted; false when it is not told of.
    func begin(_ position: Int, _ packet: Packet, _ frame: Frame) -> Bool {
        guard !isFull else { return false }
        guard room > 0 else {
            lost &+= 1
            return false
        }
        let arrived = Story.Sent(frame, most: terms.frameBytes)
        current = Story(
            number: lastStory &+ 1, position: position, time: now, arrived: arrived,
            carriedMark: frame.mark)
        note(.arrived(Arrival(packet, frame)))
        return true
    }

    /// Ends the story of the packet at hand with what became of its frame, and of those made for it.
    func end(_ frame: Frame, made: [Frame]) {
        guard var story = current else { return }
        current = nil
        story.verdict = frame.verdict
        // What waits for its next hop, or was wrapped up otherwise, is the engine's memory by now.
        story.left = frame.verdict.kind == .drop ? nil : Story.Sent(frame, most: terms.frameBytes)
        room &-= story.memoryBytes
        for frame in made {
            guard room > 0 else {
                lost &+= 1
                continue
            }
            let sent = Story.Sent(frame, most: terms.frameBytes)
            room &-= sent.size
            story.made.append(Story.Made(sent: sent, verdict: frame.verdict))
        }
        stories.append(story)
        told += 1
    }
}

/// What happened to one packet.
package struct Story: Sendable {
    /// Bytes of a frame, and the port it came in or leaves by.
    package struct Sent: Hashable, Sendable {
        /// From the destination hardware address on, as many as are kept.
        package var bytes: [UInt8]
        /// Bytes that the frame has, without the tag that was taken out.
        package var length: Int
        /// The tag that the kernel took out, as `Frame.vlan`.
        package var vlan: UInt32
        package var port: PortIndex
        /// The transport's checksum is not finished yet; a card does it.
        package var isPartial: Bool
        /// Payload bytes of each segment of a super-frame, 0 for a plain frame.
        package var segmentSize: UInt16

        init(_ frame: Frame, most: Int) {
            length = Int(frame.length)
            bytes = unsafe [UInt8](
                UnsafeRawBufferPointer(start: frame.bytes, count: min(length, most)))
            vlan = frame.vlan
            port = frame.verdict.kind == .send ? frame.verdict.port : frame.ingress
            isPartial = frame.isPartial
            segmentSize = frame.segmentSize
        }

        /// About what it takes of memory, bytes.
        fileprivate var size: Int { bytes.count + 128 }
    }

    /// A frame that the engine made because of the packet: an ICMP error, a fragment, a segment.
    package struct Made: Hashable, Sendable {
        package var sent: Sent
        package var verdict: Verdict
    }

    /// Which story of its worker's it is, from 1.
    package var number: UInt64
    /// Place in the burst, from 0; its capacity for a frame that waited for its next hop and leaves now,
    /// whose packet's story has the same number.
    package var position: Int
    /// When its burst came.
    package var time: Instant
    package var steps: [Step] = []
    /// As it came in.
    package var arrived: Sent
    /// The firewall mark that the frame came in with.
    package var carriedMark: UInt32
    /// As it stood at the end; nil when it was dropped.
    package var left: Sent?
    package var made: [Made] = []
    package var verdict = Verdict.pass

    /// It is told that a frame leaves which has waited.
    package var isRelease: Bool { position == Burst.capacity }

    init(number: UInt64, position: Int, time: Instant, arrived: Sent, carriedMark: UInt32) {
        self.number = number
        self.position = position
        self.time = time
        self.arrived = arrived
        self.carriedMark = carriedMark
    }

    /// About what it takes of memory, bytes.
    package var memoryBytes: Int {
        MemoryLayout<Story>.stride + steps.count * MemoryLayout<Step>.stride + arrived.size
            + (left?.size ?? 0) + made.reduce(0) { $0 + $1.sent.size }
    }
}
