internal import LVS

/// Gathers connections from the packets of a capture, in bounded memory.
struct ConnectionCollector {
    /// Connections of one address family.
    struct Found {
        var connections: [CapturedLoad.Connection] = []
        var clients: [IPAddress] = []
        fileprivate var positions: [IPAddress: UInt32] = [:]
    }

    /// The last connection of a flow.
    private struct Known {
        var isIPv6: Bool
        /// Among those of its family.
        var position: Int
        var lastTime: Int64
        var sequence: UInt32
        var hasEnded = false
    }

    private let service: CapturedLoad.Service?
    private let most: Int
    private var found = [Found(), Found()]
    /// By the client's side; no more than connections.
    private var known: [ClientFlow: Known] = [:]
    private var firstTime: Int64?
    private var now: Int64 = 0
    private var firstTarget: CapturedLoad.Service?
    private var hasOtherTargets = false
    private var beyond: UInt64 = 0
    private var late: UInt64 = 0
    private var begunBefore: UInt64 = 0
    private var outgoing: UInt64 = 0
    private var notTCP = 0

    init(service: CapturedLoad.Service?, most: Int) {
        self.service = service
        self.most = most
    }

    mutating func take(_ sighting: FlowReader.Sighting) {
        let flow = sighting.flow
        let isWanted = service.map { flow.goes(to: $0) || flow.reversed.goes(to: $0) } ?? true
        guard isWanted else { return }
        guard pass(to: sighting.time) else {
            late += 1
            return
        }
        let isFromClient = known[flow] != nil
        let key = isFromClient ? flow : flow.reversed
        guard var last = known[key], !isOver(last, of: flow.transport) else {
            return begin(sighting)
        }
        if isFromClient, sighting.isOpener, last.hasEnded || last.sequence != sighting.sequence {
            return begin(sighting)
        }
        if !last.hasEnded {
            found[last.isIPv6 ? 1 : 0].connections[last.position].end = now
            last.hasEnded = sighting.isEnd
        }
        last.lastTime = now
        known[key] = last
    }

    /// Moves the clock, which never goes back; false for a time that is too late.
    private mutating func pass(to time: Int64) -> Bool {
        // Counted from the first packet, which may be before the first connection.
        guard let first = firstTime else {
            firstTime = time
            return true
        }
        let (since, isTooLong) = time.subtractingReportingOverflow(first)
        guard time > first else { return true }
        guard !isTooLong, since <= CapturedLoad.longest else { return false }
        now = max(now, since)
        return true
    }

    /// Whether the director would have forgotten the connection.
    private func isOver(_ last: Known, of transport: TransportProtocol) -> Bool {
        let seconds: UInt32 =
            switch transport {
            case .tcp: TCPState.established.timeoutSeconds
            case .sctp: SCTPState.established.timeoutSeconds
            default: Timeouts().udp
            }
        return now - last.lastTime > Int64(seconds) * 1_000_000_000
    }

    private mutating func begin(_ sighting: FlowReader.Sighting) {
        let flow = sighting.flow
        if let service, !flow.goes(to: service) { return }
        guard flow.transport != .tcp || sighting.isOpener else {
            begunBefore += 1
            return
        }
        guard !sighting.isOutgoing else {
            outgoing += 1
            return
        }
        guard found[0].connections.count + found[1].connections.count < most else {
            beyond += 1
            return
        }
        let target = CapturedLoad.Service(of: flow)
        if let firstTarget, firstTarget != target { hasOtherTargets = true }
        firstTarget = firstTarget ?? target
        if flow.transport != .tcp { notTCP += 1 }
        let family = flow.client.isV4 ? 0 : 1
        let position = found[family].connections.count
        found[family].add(flow, at: now)
        known[flow] = Known(
            isIPv6: family == 1, position: position, lastTime: now, sequence: sighting.sequence,
            hasEnded: sighting.isEnd)
    }

    /// The family with the most connections, its first one at 0; nil when there is none.
    var largest: Found? {
        guard var result = found.max(by: { $0.connections.count < $1.connections.count }),
            let beginning = result.connections.first?.time
        else { return nil }
        for index in result.connections.indices {
            result.connections[index].time -= beginning
            result.connections[index].end -= beginning
        }
        return result
    }

    var remarks: [String] {
        var remarks: [String] = []
        if hasOtherTargets {
            remarks.append(
                "connections to several addresses and ports are taken for those of one service; "
                    + "--to VIP:PORT takes one's only")
        }
        let counts = found.map(\.connections.count).sorted()
        if counts[0] > 0 {
            remarks.append(
                "\(counts[0]) connections of the other address family are left out; --to takes "
                    + "those of its own")
        }
        if notTCP > 0 {
            remarks.append("\(notTCP) flows of UDP or SCTP are played as connections of TCP")
        }
        if beyond > 0 {
            remarks.append("\(beyond) connections are left out: at most \(most) are taken")
        }
        if late > 0 {
            remarks.append(
                "\(late) packets are left out: they come more than a day after the first")
        }
        if begunBefore > 0 {
            remarks.append(
                "\(begunBefore) packets of TCP belong to no connection that begins in the capture")
        }
        if outgoing > 0 {
            remarks.append(
                "\(outgoing) packets would begin connections, but the machine that captured them "
                    + "sent them itself")
        }
        return remarks
    }
}

extension ConnectionCollector.Found {
    fileprivate mutating func add(_ flow: ClientFlow, at time: Int64) {
        let client: UInt32
        if let known = positions[flow.client] {
            client = known
        } else {
            client = UInt32(clients.count)
            positions[flow.client] = client
            clients.append(flow.client)
        }
        connections.append(
            CapturedLoad.Connection(
                time: time, end: time, client: client, clientPort: flow.clientPort))
    }
}

extension CapturedLoad.Service {
    fileprivate init(of flow: ClientFlow) {
        address = flow.virtual
        port = flow.virtualPort
    }
}

extension ClientFlow {
    /// The other way.
    fileprivate var reversed: ClientFlow {
        ClientFlow(
            transport: transport, client: virtual, clientPort: virtualPort, virtual: client,
            virtualPort: clientPort)
    }

    fileprivate func goes(to service: CapturedLoad.Service) -> Bool {
        virtual == service.address && virtualPort == service.port
    }
}
