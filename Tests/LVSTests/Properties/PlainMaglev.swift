/// 2.9: the table of 4093 slots, made anew from the words of the specification.
struct PlainMaglev: PlainScheduler {
    private static let slots = 4093
    let options: PlainOptions
    private var table: [String] = []

    init(options: PlainOptions) { self.options = options }

    mutating func servers(_ servers: PlainServers, did event: PlainEvent) {
        let weighty = servers.list.filter { servers[$0].lastWeight > 0 }
        table = []
        guard let least = weighty.map({ servers[$0].lastWeight }).min(),
            let most = weighty.map({ servers[$0].lastWeight }).max()
        else { return }
        let divisor = (1...least).last { divisor in
            weighty.allSatisfy { servers[$0].lastWeight % divisor == 0 }
        }
        let common = divisor ?? 1
        // Weights keep six bits.
        var shortened = 1
        while most / common / shortened >= 64 { shortened *= 2 }
        var owners = [String?](repeating: nil, count: PlainMaglev.slots)
        var steps = [String: Int](minimumCapacity: weighty.count)
        var free = PlainMaglev.slots
        while free > 0 {
            for name in weighty {
                let server = servers[name]
                let value = server.address &+ UInt32(server.port)
                let offset = PlainMaglev.hash(2_654_435_761, value) % PlainMaglev.slots
                let skip = PlainMaglev.hash(2_654_446_892, value) % (PlainMaglev.slots - 1) + 1
                for _ in 0..<max(server.lastWeight / common / shortened, 1) where free > 0 {
                    while true {
                        let step = steps[name, default: 0]
                        steps[name] = step + 1
                        let slot = (offset + step * skip) % PlainMaglev.slots
                        guard owners[slot] == nil else { continue }
                        owners[slot] = name
                        free -= 1
                        break
                    }
                }
            }
        }
        table = owners.map { $0 ?? "" }
    }

    mutating func pick(_ request: PlainRequest, _ servers: PlainServers) -> String? {
        guard !table.isEmpty else { return nil }
        let port = options.hashesPort && request.hasPorts ? UInt32(request.clientPort) : 0
        let slot = { (value: UInt32) in
            PlainMaglev.hash(2_654_435_761, value) % PlainMaglev.slots
        }
        let first = slot(request.client &+ port)
        if servers.isEligible(table[first]) { return table[first] }
        guard options.fallsBack else { return nil }
        for offset in 0..<PlainMaglev.slots {
            let probe = UInt32((offset + first) % PlainMaglev.slots)
            let owner = table[slot(probe &+ port &+ request.client)]
            if servers.isEligible(owner) { return owner }
        }
        return nil
    }

    /// SipHash-1-3 of a 32-bit number, both key words the same, cut to 32 bits.
    private static func hash(_ key: UInt64, _ value: UInt32) -> Int {
        let magic = Array("somepseudorandomlygeneratedbytes".utf8)
        var v = stride(from: 0, to: 32, by: 8).map { start in
            magic[start..<start + 8].reduce(UInt64(0)) { $0 << 8 | UInt64($1) } ^ key
        }
        func mix(_ a: Int, _ b: Int, _ bits: UInt64) {
            v[a] = v[a] &+ v[b]
            v[b] = (v[b] << bits | v[b] >> (64 - bits)) ^ v[a]
        }
        func turn(_ a: Int) { v[a] = v[a] << 32 | v[a] >> 32 }
        func round() {
            mix(0, 1, 13)
            turn(0)
            mix(2, 3, 16)
            mix(0, 3, 21)
            mix(2, 1, 17)
            turn(2)
        }
        let block = UInt64(4) << 56 | UInt64(value)
        v[3] ^= block
        round()
        v[0] ^= block
        v[2] ^= 0xff
        for _ in 0..<3 { round() }
        return Int((v[0] ^ v[1] ^ v[2] ^ v[3]) & 0xffff_ffff)
    }
}
