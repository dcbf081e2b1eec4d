package import LVS

/// Watches a replay for its report: who got how many connections when, what was dropped when, and the
/// packets of the first connections, before and after.
///
/// Memory is bounded however long the capture is: samples of counters are thinned out, and packets are
/// kept of some connections only.
package final class ReplayRecorder: ReplaySink {
    /// Counters at one moment.
    struct Sample: Hashable {
        /// Nanoseconds since the first packet.
        var time: Int64
        /// Entries in the connection table.
        var open: Int
        /// Connections so far by server, in the order of `servers`.
        var connections: [UInt64]
        /// Frames dropped so far by reason, in the order of all reasons.
        var drops: [UInt64]
    }

    /// A server of a service.
    struct Server: Hashable {
        var service: ServiceKey
        var name: ServerName
    }

    /// One packet of a connection.
    struct Step: Hashable {
        var packet: UInt64
        /// Nanoseconds since the first packet.
        var time: Int64
        var isFromClient: Bool
        var before: [UInt8]
        /// The frame as it left, or what was made of it; empty for a drop.
        var after: [[UInt8]]
        var verdict: Verdict
        /// States before and after.
        var states: [String]
    }

    /// A connection with its first packets.
    struct Ladder: Hashable {
        var flow: ClientFlow
        var server: ServerName
        var steps: [Step] = []
        /// Packets that are not kept.
        var more: UInt64 = 0
    }

    private static let mostSamples = 240
    private static let mostLadders = 200
    private static let mostSteps = 40
    /// Packets that are looked at for ladders.
    private static let mostPackets: UInt64 = 100_000

    let run: ReplayRun
    private let sink: (any ReplaySink)?
    private let ear = Ear()
    private var stories: StoryQueue
    private var looked: UInt64 = 0
    private var every: Int64 = 10_000_000
    private var nextSample: Int64 = 0
    private(set) var samples: [Sample] = []
    let servers: [Server]
    private(set) var ladders: [Ladder] = []
    private var ladderOfFlow: [ClientFlow: Int] = [:]

    /// Whether packets are still looked at.
    private final class Ear {
        var isOpen = true
    }

    /// Watches from now on; frames go on to another sink.
    package init(_ run: ReplayRun, before sink: (any ReplaySink)?) {
        self.run = run
        self.sink = sink
        let narrator = Narrator(most: .max) { [ear] _, _ in ear.isOpen }
        stories = StoryQueue(of: narrator)
        servers = run.replay.director.services().flatMap { listing in
            listing.servers.reversed().map {
                Server(
                    service: listing.service.key,
                    name: ServerName(address: $0.server.address, port: $0.server.port))
            }
        }
        run.replay.sink = self
        run.replay.tell(narrator)
    }

    /// To be called after the last packet.
    package func finish() {
        run.replay.tell(nil)
        takeSample(at: run.replay.lastTime)
    }

    package func sent(_ frame: Frame, by port: PortIndex, at time: Int64, packet: UInt64?) {
        sink?.sent(frame, by: port, at: time, packet: packet)
    }

    package func decided(_ verdict: Verdict, packet: UInt64, at time: Int64) {
        sink?.decided(verdict, packet: packet, at: time)
        let since = time &- (run.replay.firstTime ?? time)
        if since >= nextSample { takeSample(at: time) }
        guard ear.isOpen || !stories.isEmpty else { return }
        guard let story = stories.next() else { return }
        take(story, packet, since)
        looked += 1
        if looked == Self.mostPackets { ear.isOpen = false }
    }

    private func takeSample(at time: Int64) {
        let since = time &- (run.replay.firstTime ?? time)
        let director = run.replay.director
        samples.append(
            Sample(
                time: since, open: director.table.count,
                connections: director.services().flatMap { listing in
                    listing.servers.reversed().map(\.statistics.counters.connections)
                }, drops: director.dropCounts().map(\.frames)))
        if samples.count > Self.mostSamples {
            // Times of a capture may be any; what can no longer be doubled is longer than all of them.
            every = every.multipliedReportingOverflow(by: 2).overflow ? .max : every * 2
            let old = samples
            samples = stride(from: 0, to: old.count, by: 2).map { old[$0] }
        }
        nextSample = since > .max - every ? .max : since + every
    }

    private func take(_ story: Story, _ packet: UInt64, _ since: Int64) {
        let (found, _) = story.connection
        guard let connection = found else { return }
        let position: Int
        if let known = ladderOfFlow[connection.flow] {
            position = known
        } else {
            guard ladders.count < Self.mostLadders else { return }
            position = ladders.count
            ladderOfFlow[connection.flow] = position
            ladders.append(Ladder(flow: connection.flow, server: connection.server))
        }
        guard ladders[position].steps.count < Self.mostSteps else {
            ladders[position].more += 1
            return
        }
        let made = story.made.filter { $0.verdict.kind == .send }.map(\.sent.bytes)
        let own = story.verdict.kind == .send ? story.left.map { [$0.bytes] } ?? [] : []
        ladders[position].steps.append(
            Step(
                packet: packet, time: since, isFromClient: story.isFromClient,
                before: story.arrived.bytes, after: own + made, verdict: story.verdict,
                states: story.states))
    }
}

extension Story {
    /// The connection the packet goes on, and whether it has opened it.
    var connection: (ReplaySide.Connected?, isNew: Bool) {
        for step in steps.reversed() {
            switch step {
            case .connected(let listing, let making):
                return (ReplaySide.Connected(listing), making == .made || making == .once)
            case .lookedUp(let look):
                if let found = look.found, !found.isTemplate {
                    return (ReplaySide.Connected(found), false)
                }
            default: break
            }
        }
        return (nil, false)
    }

    /// False for what comes from the connection's server.
    fileprivate var isFromClient: Bool {
        for case .lookedUp(let look) in steps where look.found != nil {
            return look.direction == .inbound
        }
        return true
    }

    /// The connection's states before and after the packet; one where it stayed.
    fileprivate var states: [String] {
        for case .advanced(let advance) in steps {
            let names = [advance.before, advance.after]
            return names[0] == names[1] ? [names[0]] : names
        }
        return []
    }
}
