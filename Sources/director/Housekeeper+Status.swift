import Control
import LVS
import Logging
import PacketIO
import Posix
import Sync

/// Frames of a port at the last two looks, a second apart.
struct PortRate {
    var at: UInt64
    var statistics: DriverStatistics
    var receivedPerSecond: UInt64 = 0
    var sentPerSecond: UInt64 = 0
}

extension Housekeeper: DaemonTarget {
    func status() -> String { report().rendered() }

    func statusForPrograms() -> JSONValue { report().json }

    func activity() -> DaemonActivity {
        var activity = DaemonActivity()
        activity.version = version
        activity.uptimeMilliseconds = uptimeMilliseconds
        activity.connections = UInt64(director.table.count)
        activity.capacity = UInt64(director.configuration.connections)
        activity.workers = workers()
        activity.drops = drops()
        return activity
    }

    func saveState() throws(CommandRefusal) {
        guard let keeper = state?.keeper else {
            throw .notSupported("this director keeps no state; start it with --state FILE")
        }
        do throws(SystemError) {
            try keeper.save()
        } catch {
            throw .invalid("the state file cannot be written: \(error)")
        }
    }

    private func report() -> StatusReport {
        var report = StatusReport(
            version: version, uptimeSeconds: uptimeMilliseconds / 1000,
            control: control?.path ?? "none")
        report.interfaces = interfaces.map(interface)
        report.workers = workers()
        report.drops = drops()
        report.connections = UInt64(director.table.count)
        report.capacity = UInt64(director.configuration.connections)
        report.tableBytes = UInt64(memory.count)
        report.tablePages = memory.pages
        report.hostObjects = hostSide.objects + locals.objects
        report.answered = answering.addresses.map(\.description).sorted()
        report.unresolved = director.unresolvedNextHops().map { neighbour in
            "\(neighbour.address) on \(surroundings.ports[Int(neighbour.port)].name)"
        }
        var servers = Set<String>()
        for service in director.services() {
            for listing in service.servers {
                if let trouble = director.trouble(reaching: listing.server) {
                    servers.insert(trouble)
                }
            }
        }
        report.unreachableServers = servers.sorted()
        report.hostMarks = hostMarks?.summary ?? []
        report.queues = hostSide.queueSummary
        report.master = master?.summary ?? []
        report.backup = backup?.summary ?? []
        report.notes = surroundings.standingWarnings + defences() + processorNotes
        if let tableNote { report.notes.append(tableNote) }
        if let trouble = state?.keeper.trouble { report.notes.append(trouble) }
        if let capture { report.notes.append(capture.summary) }
        return report
    }

    private var uptimeMilliseconds: UInt64 { (MonotonicClock.now() - started) / 1_000_000 }

    private func workers() -> [StatusReport.Worker] {
        loops.map { loop in
            let counts = loop.counts
            return StatusReport.Worker(
                cpu: loop.cpu, frames: counts.frames, bursts: counts.bursts, sent: counts.sent,
                sleeps: counts.sleeps, cpuNanoseconds: loop.cpuNanoseconds)
        }
    }

    private func interface(_ interface: ServedInterface) -> StatusReport.Interface {
        let statistics = interface.statistics
        let rate = rates[interface.port]
        let port = surroundings.ports[Int(interface.port)]
        return StatusReport.Interface(
            name: interface.name, driver: interface.summary,
            found: "\(port.hardware), MTU \(port.mtu)", up: !interface.isDetached,
            received: StatusReport.Traffic(
                frames: statistics.receivedFrames, bytes: statistics.receivedBytes,
                framesPerSecond: rate?.receivedPerSecond ?? 0),
            sent: StatusReport.Traffic(
                frames: statistics.sentFrames, bytes: statistics.sentBytes,
                framesPerSecond: rate?.sentPerSecond ?? 0),
            ringFull: statistics.ringFull, truncated: statistics.truncated,
            sendFailed: statistics.sendFailed)
    }

    /// The defences that are on, and what they did.
    private func defences() -> [String] {
        let on = ["drop_entry", "drop_packet", "secure_tcp"].filter { name in
            (director.settings[name] ?? 0) > 1
        }
        var lines = on.map { "\($0) is on (\(director.settings[$0] ?? 0))" }
        if director.endedByDefence > 0 {
            lines.append("drop_entry has ended \(director.endedByDefence) connections to make room")
        }
        return lines
    }

    private func drops() -> [StatusReport.Drop] {
        var drops = director.dropCounts().map { reason, count in
            StatusReport.Drop(reason: reason.name, count: count, cure: reason.cure)
        }
        let closed = loops.reduce(0) { $0 + $1.counts.doorClosed }
        if closed > 0 {
            let reason = DropReason.doorClosed
            drops.append(
                StatusReport.Drop(reason: reason.name, count: closed, cure: reason.cure))
        }
        return drops
    }

    /// Looks at the drivers' counters, once a second.
    func measure(_ now: Instant) {
        if let news = capture?.takeNews() { logger.warning("\(news)") }
        for interface in interfaces {
            let statistics = interface.statistics
            var rate = PortRate(at: now.nanoseconds, statistics: statistics)
            if let last = rates[interface.port], now.nanoseconds > last.at {
                let perSecond = { (new: UInt64, old: UInt64) in
                    UInt64(Double(new &- old) * 1e9 / Double(now.nanoseconds - last.at))
                }
                rate.receivedPerSecond = perSecond(
                    statistics.receivedFrames, last.statistics.receivedFrames)
                rate.sentPerSecond = perSecond(
                    statistics.sentFrames, last.statistics.sentFrames)
            }
            rates[interface.port] = rate
            for advice in interface.takeAdvice() { logger.notice("\(advice)") }
        }
    }
}

extension Director {
    /// Why packets cannot reach a server, in a sentence for the operator; nil when they can.
    func trouble(reaching server: RealServer) -> String? {
        switch serverRoute(server.address) {
        case .forward(_, let gateway):
            guard let gateway, server.method == .directRouting else { return nil }
            return
                "\(server.address): direct routing needs a directly attached server, and the route"
                + " goes by the gateway \(gateway)"
        case .elsewhere(let interface):
            return "\(server.address): the route leaves by \(interface), which is not served "
                + "(--interface)"
        case .refused, .proceed:
            return "\(server.address): the route is a blackhole or unreachable"
        case .local: return nil
        case nil: return "\(server.address): there is no route (ip route)"
        }
    }
}

extension DesiredState.Step {
    /// What the step is about, for messages.
    var summary: String {
        switch self {
        case .addService(let service), .editService(let service): "service \(service.key.summary)"
        case .deleteService(let key): "service \(key.summary)"
        case .addServer(let key, let server), .editServer(let key, let server):
            "server \(server.address):\(server.port) of \(key.summary)"
        case .deleteServer(let key, let address, let port):
            "server \(address):\(port) of \(key.summary)"
        case .setLocals(let key, let addresses):
            "\(addresses.count) local addresses of \(key.summary)"
        case .setMarks(let rules): "\(rules.count) marking rules"
        }
    }
}

extension ServiceKey {
    /// Address and port, or the mark.
    var summary: String {
        switch self {
        case .address(_, let address, let port): "\(address):\(port)"
        case .mark(let mark, _): "mark \(mark)"
        }
    }
}
