/// Listens to a worker and keeps the stories of packets: what `explain` is made from.
///
/// A worker that has one asks it in cold places only, and takes its last wave packet by packet; without
/// one it does neither. What packets get is the same. Used by the worker's thread alone.
package final class Narrator {
    /// Which packets are told of, by their place in the burst and as they were parsed.
    package typealias Filter = (_ position: Int, _ packet: Packet) -> Bool

    /// The stories so far, in the order of the packets.
    package private(set) var stories: [Story] = []
    private let most: Int
    private let filter: Filter
    private var current: Story?
    /// Stories told so far, those that were taken included.
    private var told = 0

    /// A narrator that keeps the first `most` stories of packets that the filter wants.
    package init(most: Int = 64, filter: @escaping Filter = { _, _ in true }) {
        self.most = most
        self.filter = filter
    }

    /// No more stories are kept.
    package var isFull: Bool { told >= most }

    /// The stories, which the narrator then has no more.
    package func takeStories() -> [Story] {
        defer { stories = [] }
        return stories
    }

    /// True while the packet at hand is told of.
    var isTelling: Bool { current != nil }

    /// Adds a step to the story of the packet at hand; nothing when it is not told of.
    func note(_ step: @autoclosure () -> Step) {
        guard current != nil else { return }
        let step = step()
        current?.steps.append(step)
    }

    /// Begins the story of a packet; false when it is not told of.
    func begin(_ position: Int, _ packet: Packet, _ frame: Frame) -> Bool {
        guard !isFull, filter(position, packet) else { return false }
        current = Story(position: position, arrived: Story.Sent(frame), carriedMark: frame.mark)
        note(.arrived(Arrival(packet, frame)))
        return true
    }

    /// Ends the story of the packet at hand with what became of its frame, and of those made for it.
    func end(_ frame: Frame, made: [Frame]) {
        guard var story = current else { return }
        current = nil
        story.verdict = frame.verdict
        // What waits for its next hop, or was wrapped up otherwise, is the engine's memory by now.
        story.left = frame.verdict.kind == .drop ? nil : Story.Sent(frame)
        story.made = made.map { Story.Made(sent: Story.Sent($0), verdict: $0.verdict) }
        stories.append(story)
        told += 1
    }
}

/// What happened to one packet.
package struct Story: Sendable {
    /// Bytes of a frame, and the port it came in or leaves by.
    package struct Sent: Hashable, Sendable {
        /// From the destination hardware address on.
        package var bytes: [UInt8]
        package var port: PortIndex
        /// The transport's checksum is not finished yet; a card does it.
        package var isPartial: Bool

        init(_ frame: Frame) {
            bytes = Story.copy(frame)
            port = frame.verdict.kind == .send ? frame.verdict.port : frame.ingress
            isPartial = frame.isPartial
        }
    }

    /// A frame that the engine made because of the packet: an ICMP error, a fragment, a segment.
    package struct Made: Hashable, Sendable {
        package var sent: Sent
        package var verdict: Verdict
    }

    /// Place in the burst, from 0.
    package var position: Int
    package var steps: [Step] = []
    /// As it came in.
    package var arrived: Sent
    /// The firewall mark that the frame came in with.
    package var carriedMark: UInt32
    /// As it stood at the end; nil when it was dropped.
    package var left: Sent?
    package var made: [Made] = []
    package var verdict = Verdict.pass

    init(position: Int, arrived: Sent, carriedMark: UInt32) {
        self.position = position
        self.arrived = arrived
        self.carriedMark = carriedMark
    }

    private static func copy(_ frame: Frame) -> [UInt8] {
        unsafe [UInt8](UnsafeRawBufferPointer(start: frame.bytes, count: Int(frame.length)))
    }
}
