/// Counters of a whole director at one moment, as `directorctl top` asks for them in one request.
///
/// It travels as lines of words; the name that may hold blanks stands last:
///
///     live 1 MILLISECONDS-UP CONNECTIONS CAPACITY VERSION
///     worker CPU|- FRAMES BURSTS CPU-NANOSECONDS
///     drop FRAMES REASON
///     total COUNTERS
///     service SCHEDULER COUNTERS TITLE
///     server METHOD WEIGHT ACTIVE INACTIVE COUNTERS ENDPOINT
///
/// COUNTERS are the ten numbers of a `StatisticsRecord`: five sums, five rates.
package struct TopFeed: Equatable, Sendable {
    package struct Worker: Equatable, Sendable {
        /// The CPU it is bound to; nil when to none.
        package var cpu: Int?
        package var frames: UInt64
        package var bursts: UInt64
        /// CPU time it has used.
        package var cpuNanoseconds: UInt64
    }

    package struct Drop: Equatable, Sendable {
        package var reason: String
        package var frames: UInt64
    }

    package struct Server: Equatable, Sendable {
        /// ADDRESS:PORT.
        package var endpoint: String
        package var method: String
        package var weight: Int
        package var active: UInt64
        package var inactive: UInt64
        package var statistics: StatisticsRecord
    }

    package struct Service: Equatable, Sendable {
        /// Protocol and ADDRESS:PORT, or the mark.
        package var title: String
        package var scheduler: String
        package var statistics: StatisticsRecord
        package var servers: [Server] = []

        package var active: UInt64 { servers.reduce(0) { $0 &+ $1.active } }
        package var inactive: UInt64 { servers.reduce(0) { $0 &+ $1.inactive } }
    }

    package var version = ""
    package var uptimeMilliseconds: UInt64 = 0
    package var connections: UInt64 = 0
    package var capacity: UInt64 = 0
    package var workers: [Worker] = []
    package var drops: [Drop] = []
    package var total = StatisticsRecord()
    /// In the order of sorted listings.
    package var services: [Service] = []

    init() {}

    /// True when the director has been started anew since an earlier feed: it counts from zero then.
    func isOfAnotherDirector(than before: TopFeed) -> Bool {
        uptimeMilliseconds < before.uptimeMilliseconds
    }

    /// A text that is no feed.
    package struct Garbled: Error, Equatable {
        /// From 1.
        package var line: Int
        package var text: String
    }
}

// MARK: Writing

extension TopFeed {
    /// What a director tells.
    package static func text(of target: any ControlTarget, _ activity: DaemonActivity) -> String {
        var text =
            "live 1 \(activity.uptimeMilliseconds) \(activity.connections) \(activity.capacity) "
            + "\(activity.version)\n"
        for worker in activity.workers {
            let cpu = worker.cpu.map(String.init) ?? "-"
            text += "worker \(cpu) \(worker.frames) \(worker.bursts) \(worker.cpuNanoseconds)\n"
        }
        for drop in activity.drops { text += "drop \(drop.count) \(drop.reason)\n" }
        text += "total \(counters(target.total))\n"
        let parts = ServiceText(names: AddressNames(numeric: true))
        let listed = target.services().map { service in
            ListedService(
                service: service, servers: service.key.map(target.destinations) ?? [])
        }
        for listed in ListingOrder.sorted(listed) {
            let service = listed.service
            text +=
                "service \(service.scheduler) \(counters(service.statistics)) "
                + "\(parts.title(service))\n"
            for server in listed.servers {
                text +=
                    "server \(parts.method(server)) \(server.weight) \(server.activeConnections) "
                    + "\(server.inactiveConnections) \(counters(server.statistics)) "
                    + "\(parts.server(server, of: service))\n"
            }
        }
        return text
    }

    private static func counters(_ statistics: StatisticsRecord) -> String {
        statistics.values.map(String.init).joined(separator: " ")
    }
}

// MARK: Reading

extension TopFeed {
    /// Reads what a director told; lines of kinds that are not known are passed over.
    package init(_ text: String) throws(Garbled) {
        var number = 0
        for line in text.split(separator: "\n", omittingEmptySubsequences: true) {
            number += 1
            guard take(line, isFirst: number == 1) else {
                throw Garbled(line: number, text: String(line.prefix(80)))
            }
        }
        if number == 0 { throw Garbled(line: 1, text: "") }
    }

    private mutating func take(_ line: Substring, isFirst: Bool) -> Bool {
        var words = Words(line)
        let kind = words.next()
        guard (kind == "live") == isFirst else { return false }
        switch kind {
        case "live":
            guard words.next() == "1", let uptime = words.number(), let count = words.number(),
                let capacity = words.number()
            else { return false }
            (uptimeMilliseconds, connections, self.capacity) = (uptime, count, capacity)
            version = words.rest
        case "worker":
            guard let cpu = words.next(), let frames = words.number(),
                let bursts = words.number(), let time = words.number()
            else { return false }
            workers.append(
                Worker(cpu: Int(cpu), frames: frames, bursts: bursts, cpuNanoseconds: time))
        case "drop":
            guard let frames = words.number() else { return false }
            drops.append(Drop(reason: words.rest, frames: frames))
        case "total":
            guard let statistics = words.statistics() else { return false }
            total = statistics
        case "service":
            guard let scheduler = words.next(), let statistics = words.statistics() else {
                return false
            }
            services.append(
                Service(
                    title: words.rest, scheduler: String(scheduler), statistics: statistics))
        case "server":
            guard !services.isEmpty, let server = words.server() else { return false }
            services[services.count - 1].servers.append(server)
        default: break
        }
        return true
    }

    /// The words of one line, taken from its front.
    private struct Words {
        private var text: Substring

        init(_ text: Substring) { self.text = text }

        mutating func next() -> Substring? {
            text = text.drop { $0 == " " }
            guard !text.isEmpty else { return nil }
            let word = text.prefix { $0 != " " }
            text = text[word.endIndex...]
            return word
        }

        mutating func number() -> UInt64? { next().flatMap { UInt64($0) } }

        /// All that is left; control characters, which a terminal would obey, are not.
        var rest: String {
            String(
                text.drop { $0 == " " }.unicodeScalars.filter {
                    $0.properties.generalCategory != .control
                }
                .map(Character.init))
        }

        mutating func statistics() -> StatisticsRecord? {
            var values: [UInt64] = []
            for _ in 0..<10 {
                guard let value = number() else { return nil }
                values.append(value)
            }
            return StatisticsRecord(values)
        }

        mutating func server() -> Server? {
            guard let method = next(), let weight = next().flatMap({ Int($0) }),
                let active = number(), let inactive = number(), let counters = statistics()
            else { return nil }
            return Server(
                endpoint: rest, method: String(method), weight: weight, active: active,
                inactive: inactive, statistics: counters)
        }
    }
}

/// What the daemon does at a moment: the part of a feed that the table does not know.
package struct DaemonActivity: Sendable {
    package var version = ""
    package var uptimeMilliseconds: UInt64 = 0
    package var connections: UInt64 = 0
    /// Connections that the table has room for.
    package var capacity: UInt64 = 0
    package var workers: [StatusReport.Worker] = []
    package var drops: [StatusReport.Drop] = []

    package init() {}
}
