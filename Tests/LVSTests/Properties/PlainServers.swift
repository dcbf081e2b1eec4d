/// The servers of one service as plain numbers, with the counts and the overload flag of
/// ipvs-semantics 3, 4.4 and 7; slow, and without a line of the engine's.
struct PlainServers {
    struct Server {
        var address: UInt32
        var port = 8080
        var weight = 0
        /// The last weight that was not 0.
        var lastWeight = 0
        var upper = 0
        var lower = 0
        var active = 0
        var inactive = 0
        var isFull = false

        var connections: Int { active + inactive }
        var overhead: Int { active * 256 + inactive }
        var expected: Int { active + 1 }
    }

    private(set) var known: [String: Server] = [:]
    /// Names of those in the service, newest first.
    private(set) var list: [String] = []

    subscript(name: String) -> Server { known[name] ?? Server(address: 0) }

    func isThere(_ name: String) -> Bool { list.contains(name) }

    /// In the service, with weight, and not full.
    func isEligible(_ name: String) -> Bool {
        isThere(name) && self[name].weight > 0 && !self[name].isFull
    }

    var eligible: [String] { list.filter(isEligible) }

    /// A new server, or one that was deleted and finds its counts again.
    mutating func add(_ name: String, address: UInt32, weight: Int, upper: Int, lower: Int) {
        if known[name] == nil { known[name] = Server(address: address) }
        configure(name, weight: weight, upper: upper, lower: lower)
        list.insert(name, at: 0)
    }

    mutating func edit(_ name: String, weight: Int, upper: Int, lower: Int) {
        configure(name, weight: weight, upper: upper, lower: lower)
    }

    mutating func delete(_ name: String) { list.removeAll { $0 == name } }

    /// The trash has freed a deleted server: if it comes back it is a new one.
    mutating func forget(_ name: String) { known[name] = nil }

    private mutating func configure(_ name: String, weight: Int, upper: Int, lower: Int) {
        known[name]?.weight = weight
        if weight != 0 { known[name]?.lastWeight = weight }
        if upper == 0 || upper > self[name].upper { known[name]?.isFull = false }
        known[name]?.upper = upper
        known[name]?.lower = lower
    }

    // MARK: Connections

    /// A new connection; it begins inactive.
    mutating func bind(_ name: String) {
        known[name]?.inactive += 1
        let server = self[name]
        if server.upper != 0, server.connections >= server.upper { known[name]?.isFull = true }
    }

    mutating func move(_ name: String, toActive: Bool) {
        known[name]?.active += toActive ? 1 : -1
        known[name]?.inactive += toActive ? -1 : 1
    }

    mutating func unbind(_ name: String, active: Bool) {
        if active { known[name]?.active -= 1 } else { known[name]?.inactive -= 1 }
        let server = self[name]
        let frees: Bool
        if server.lower != 0 {
            frees = server.connections < server.lower
        } else if server.upper != 0 {
            frees = 4 * server.connections < 3 * server.upper
        } else {
            frees = true
        }
        if frees { known[name]?.isFull = false }
    }
}
