/// What a connection asks a model of a scheduler for; addresses and ports are host order.
struct PlainRequest {
    var client: UInt32
    var clientPort: Int
    var virtual: UInt32
    var hasPorts = true
    /// Seconds.
    var now: Int
}

/// What happened to the servers of a model, told after the list has changed.
enum PlainEvent: Equatable {
    case added, edited
    /// The name, and the position the server had.
    case removed(String, Int)
}

/// A model of one scheduler: the words of ipvs-semantics 2 with names for servers, and no thought of
/// speed.
protocol PlainScheduler {
    mutating func servers(_ servers: PlainServers, did event: PlainEvent)
    mutating func pick(_ request: PlainRequest, _ servers: PlainServers) -> String?
    mutating func second(_ now: Int)
    /// True while it may come back to a deleted server.
    func remembers(_ name: String) -> Bool
}

extension PlainScheduler {
    mutating func servers(_ servers: PlainServers, did event: PlainEvent) {}
    mutating func second(_ now: Int) {}
    func remembers(_ name: String) -> Bool { false }
}

/// What operators may set for a scheduler.
struct PlainOptions {
    var fallsBack = false
    var hashesPort = false
    /// `lblc_expiration` or `lblcr_expiration`, seconds.
    var expiration = 86_400
}

enum PlainSchedulers {
    static func make(_ name: String, _ options: PlainOptions) -> (any PlainScheduler)? {
        switch name {
        case "rr": PlainRoundRobin()
        case "wrr": PlainWeightedRoundRobin()
        case "lc", "wlc", "sed", "nq", "fo", "ovf": PlainChoice(rule: name)
        case "dh", "sh": PlainHashing(byVirtual: name == "dh", options: options)
        case "mh": PlainMaglev(options: options)
        case "lblc": PlainLocality(keepsSets: false, expiration: options.expiration)
        case "lblcr": PlainLocality(keepsSets: true, expiration: options.expiration)
        default: nil
        }
    }

    /// The first that no other one comes before.
    static func first(_ names: [String], _ before: (String, String) -> Bool) -> String? {
        names.first { name in !names.contains { before($0, name) } }
    }

    /// The first of the least loaded for their weight.
    static func least(
        _ names: [String], _ servers: PlainServers, _ load: (PlainServers.Server) -> Int
    ) -> String? {
        first(names) {
            load(servers[$0]) * servers[$1].weight < load(servers[$1]) * servers[$0].weight
        }
    }
}

/// 2.2.
private struct PlainRoundRobin: PlainScheduler {
    /// The server chosen last; nil is the head.
    private var last: String?

    mutating func servers(_ servers: PlainServers, did event: PlainEvent) {
        if case .removed(let name, let position) = event, name == last {
            last = position > 0 ? servers.list[position - 1] : nil
        }
    }

    mutating func pick(_ request: PlainRequest, _ servers: PlainServers) -> String? {
        let start = last.flatMap { servers.list.firstIndex(of: $0) }.map { $0 + 1 } ?? 0
        let order = servers.list[start...] + servers.list[..<start]
        guard let found = order.first(where: servers.isEligible) else { return nil }
        last = found
        return found
    }
}

/// 2.3, as a list of single steps: each looks at one server with one threshold.
private struct PlainWeightedRoundRobin: PlainScheduler {
    private var last: String?
    private var threshold = 0
    private var highest = 0
    private var step = 1

    mutating func servers(_ servers: PlainServers, did event: PlainEvent) {
        let weights = servers.list.map { servers[$0].weight }.filter { $0 > 0 }
        last = nil
        // The greatest number that divides all of them, found by trying.
        let most = weights.min() ?? 1
        step = (1...most).last { divisor in weights.allSatisfy { $0 % divisor == 0 } } ?? 1
        highest = (weights.max() ?? 0) - (step - 1)
        if threshold > highest || threshold == 0 {
            threshold = highest
        } else if step > 1 {
            threshold = threshold / step * step + 1
        }
    }

    mutating func pick(_ request: PlainRequest, _ servers: PlainServers) -> String? {
        guard highest > 0 else { return nil }
        let began = last
        // Thresholds of the passes, the one that is going on first; a pass over the whole list with
        // the lowest ends the search, and so does coming back to the server where it began.
        var passes = 0
        var wrapped = false
        while true {
            let isLowest = passes > 0 && threshold <= step
            let endsAtStart = isLowest && wrapped && began != nil
            for name in rest(servers) {
                last = name
                let server = servers[name]
                if !server.isFull, server.weight >= threshold { return name }
                if endsAtStart, name == began { return nil }
            }
            last = nil
            passes += 1
            threshold -= step
            guard threshold <= 0 else { continue }
            threshold = highest
            if isLowest || began == nil { return nil }
            wrapped = true
        }
    }

    /// The servers after the last one looked at.
    private func rest(_ servers: PlainServers) -> [String] {
        guard let last, let position = servers.list.firstIndex(of: last) else {
            return servers.list
        }
        return Array(servers.list[(position + 1)...])
    }
}

/// 2.4 and 2.6: schedulers without a memory.
private struct PlainChoice: PlainScheduler {
    let rule: String

    mutating func pick(_ request: PlainRequest, _ servers: PlainServers) -> String? {
        let able = servers.eligible
        let heavier = { (a: String, b: String) in servers[a].weight > servers[b].weight }
        switch rule {
        case "lc":
            return PlainSchedulers.first(able) { servers[$0].overhead < servers[$1].overhead }
        case "wlc": return PlainSchedulers.least(able, servers) { $0.overhead }
        case "sed": return PlainSchedulers.least(able, servers) { $0.expected }
        case "nq":
            return able.first { servers[$0].active == 0 }
                ?? PlainSchedulers.least(able, servers) { $0.expected }
        case "fo": return PlainSchedulers.first(able, heavier)
        default:
            let roomy = able.filter { servers[$0].active <= servers[$0].weight }
            return PlainSchedulers.first(roomy, heavier)
        }
    }
}

/// 2.5: 256 buckets.
private struct PlainHashing: PlainScheduler {
    let byVirtual: Bool
    let options: PlainOptions

    mutating func pick(_ request: PlainRequest, _ servers: PlainServers) -> String? {
        // sh repeats a server by its weight, at least once; dh does not.
        let tile = servers.list.flatMap { name in
            Array(repeating: name, count: byVirtual ? 1 : max(servers[name].weight, 1))
        }
        guard !tile.isEmpty else { return nil }
        let port = options.hashesPort && request.hasPorts ? request.clientPort : 0
        let key = byVirtual ? Int(request.virtual) : (Int(request.client) + port) % (1 << 32)
        let bucket = key * 0x61c8_8647 % (1 << 32) / (1 << 24)
        let owner = { (bucket: Int) in tile[bucket % 256 % tile.count] }
        if servers.isEligible(owner(bucket)) { return owner(bucket) }
        guard !byVirtual, options.fallsBack else { return nil }
        for offset in 0..<256 {
            let probe = (offset + bucket) % 256
            if servers.isEligible(owner(probe + bucket)) { return owner(probe + bucket) }
        }
        return nil
    }
}

/// 2.7 and 2.8: lblc remembers one server for an address, lblcr a set of them.
private struct PlainLocality: PlainScheduler {
    private struct Entry {
        /// The newest member first.
        var members: [String]
        var lastUse: Int
        var lastChange: Int
    }

    let keepsSets: Bool
    let expiration: Int
    private var entries: [UInt32: Entry] = [:]
    private var nextRun: Int?
    private var runs = 0

    init(keepsSets: Bool, expiration: Int) {
        self.keepsSets = keepsSets
        self.expiration = expiration
    }

    mutating func pick(_ request: PlainRequest, _ servers: PlainServers) -> String? {
        let address = request.virtual
        entries[address]?.lastUse = request.now
        let members = entries[address]?.members ?? []
        if let chosen = remembered(members, servers) {
            shrink(address, request.now, servers)
            if !isBusy(chosen, servers) { return chosen }
        } else {
            shrink(address, request.now, servers)
        }
        guard let other = PlainSchedulers.least(servers.eligible, servers, { $0.overhead }) else {
            return nil
        }
        if var entry = entries[address], keepsSets {
            if !entry.members.contains(other) {
                entry.members.insert(other, at: 0)
                entry.lastChange = request.now
                entries[address] = entry
            }
        } else {
            entries[address] = Entry(
                members: [other], lastUse: request.now, lastChange: request.now)
        }
        return other
    }

    func remembers(_ name: String) -> Bool {
        entries.values.contains { $0.members.contains(name) }
    }

    private func remembered(_ members: [String], _ servers: PlainServers) -> String? {
        guard keepsSets else {
            // The overload flag is not asked.
            return members.first { servers.isThere($0) && servers[$0].weight > 0 }
        }
        return PlainSchedulers.least(members.filter(servers.isEligible), servers) { $0.overhead }
    }

    /// Takes the most loaded member out of a set that has not changed for long.
    private mutating func shrink(_ address: UInt32, _ now: Int, _ servers: PlainServers) {
        guard keepsSets, let entry = entries[address], entry.members.count > 1,
            now > entry.lastChange + expiration
        else { return }
        let weighty = entry.members.filter { servers[$0].weight > 0 }
        let most = PlainSchedulers.first(weighty) {
            servers[$0].overhead * servers[$1].weight > servers[$1].overhead * servers[$0].weight
        }
        guard let most else { return }
        entries[address]?.members.removeAll { $0 == most }
        entries[address]?.lastChange = now
    }

    private func isBusy(_ name: String, _ servers: PlainServers) -> Bool {
        servers[name].active > servers[name].weight
            && servers.list.contains { 2 * servers[$0].active < servers[$0].weight }
    }

    /// Every 60 seconds a run, and every 30th of them removes what has not been asked for.
    mutating func second(_ now: Int) {
        guard let due = nextRun else {
            nextRun = now + 60
            return
        }
        guard now >= due else { return }
        nextRun = now + 60
        runs += 1
        guard runs % 30 == 0 else { return }
        entries = entries.filter { now - $0.value.lastUse < expiration }
    }
}
