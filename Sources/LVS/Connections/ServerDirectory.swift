import Synchronization

/// What the numbers of real servers mean, noted beside a table that outlasts its process: connections
/// name their server by number, and a new process must give the same server the same number.
///
/// ```
///  0  check 64: made of all that follows, never 0; 0 where the number means nothing      atomic
///  8  service: kind 8 | transport 8 | family 8 | 0    then its mark 32
/// 16  virtual address, 16 bytes
/// 32  server's address, 16 bytes
/// 48  virtual port 16 | server's port 16    then 0
/// ```
/// Values are the machine's. The housekeeper writes a record before it hands the number out and clears
/// it when nothing refers to the number any more, so that at any moment each connection's server stands
/// here. A record that was written half is one whose check does not fit, and no connection has it.
@safe
package struct ServerDirectory: @unchecked Sendable {
    private static let recordBytes = 64
    /// Bytes of memory: a record for every number.
    package static let bytes = 65_536 * recordBytes

    /// What a number means.
    struct Record: Hashable {
        var service: ServiceKey
        var address: IPAddress
        var port: UInt16
    }

    private let memory: UnsafeMutableRawPointer

    /// Views memory of `bytes`, zeroed or as an earlier process left it.
    init(memory: UnsafeMutableRawPointer) { unsafe self.memory = memory }

    private func record(_ number: DestinationIndex) -> UnsafeMutableRawPointer {
        unsafe memory + Int(number) * ServerDirectory.recordBytes
    }

    private func check(_ number: DestinationIndex) -> UnsafeMutablePointer<Atomic<UInt64>> {
        unsafe record(number).assumingMemoryBound(to: Atomic<UInt64>.self)
    }

    /// Notes what a number means that is about to be handed out.
    func write(_ number: DestinationIndex, _ server: Record) {
        let words = ServerDirectory.words(server)
        unsafe check(number).pointee.store(0, ordering: .sequentiallyConsistent)
        let record = unsafe record(number)
        for (index, word) in words.enumerated() {
            unsafe record.storeBytes(of: word, toByteOffset: 8 + index * 8, as: UInt64.self)
        }
        unsafe check(number).pointee.store(
            ServerDirectory.check(words), ordering: .sequentiallyConsistent)
    }

    /// Forgets a number that nothing refers to.
    func clear(_ number: DestinationIndex) {
        unsafe check(number).pointee.store(0, ordering: .sequentiallyConsistent)
    }

    /// What a number means; nil when that is not noted, or not in words that can be.
    func read(_ number: DestinationIndex) -> Record? {
        let noted = unsafe check(number).pointee.load(ordering: .sequentiallyConsistent)
        guard noted != 0 else { return nil }
        let record = unsafe record(number)
        let words = (1...6).map {
            unsafe record.load(fromByteOffset: $0 * 8, as: UInt64.self)
        }
        guard ServerDirectory.check(words) == noted else { return nil }
        return ServerDirectory.record(words)
    }

    /// All numbers that mean a server, in ascending order.
    var known: [DestinationIndex] {
        var numbers: [DestinationIndex] = []
        for number in DestinationIndex(0)..<Destination.none where isNoted(number) {
            if read(number) != nil { numbers.append(number) }
        }
        return numbers
    }

    /// Whether there is a record; most numbers have none, and that is seen quickly.
    private func isNoted(_ number: DestinationIndex) -> Bool {
        unsafe check(number).pointee.load(ordering: .relaxed) != 0
    }

    /// Whether this is the address noted for a number that means a server.
    @inline(__always)
    func isAddress(_ address: IPAddress, of number: DestinationIndex) -> Bool {
        let record = unsafe record(number)
        return unsafe record.load(fromByteOffset: 40, as: UInt64.self) == address.low
            && record.load(fromByteOffset: 32, as: UInt64.self) == address.high
    }

    private static func words(_ server: Record) -> [UInt64] {
        var (kind, virtual, port) = (UInt64(0), IPAddress.anyV6, UInt16(0))
        switch server.service {
        case .address(let transport, let address, let number):
            kind = 1 | UInt64(transport.rawValue) << 8
            (virtual, port) = (address, number)
        case .mark(let mark, let family):
            kind = 2 | (family == .v6 ? 1 << 16 : 0) | UInt64(mark) << 32
        }
        return [
            kind, virtual.high, virtual.low, server.address.high, server.address.low,
            UInt64(port) | UInt64(server.port) << 16,
        ]
    }

    private static func record(_ words: [UInt64]) -> Record? {
        let address = IPAddress(high: words[3], low: words[4])
        let port = UInt16(truncatingIfNeeded: words[5] >> 16)
        let service: ServiceKey
        switch words[0] & 0xff {
        case 1:
            let transport = TransportProtocol(rawValue: UInt8(truncatingIfNeeded: words[0] >> 8))
            guard [.tcp, .udp, .sctp].contains(transport) else { return nil }
            service = .address(
                transport, IPAddress(high: words[1], low: words[2]),
                port: UInt16(truncatingIfNeeded: words[5]))
        case 2:
            let family: AddressFamily = words[0] >> 16 & 0xff == 0 ? .v4 : .v6
            service = .mark(UInt32(truncatingIfNeeded: words[0] >> 32), family)
        default: return nil
        }
        return Record(service: service, address: address, port: port)
    }

    private static func check(_ words: [UInt64]) -> UInt64 {
        let mixed = words.reduce(0x9e37_79b9_7f4a_7c15 as UInt64) { sum, word in
            let product = (sum ^ word).multipliedFullWidth(by: 0xff51_afd7_ed55_8ccd)
            return product.high ^ product.low &+ 1
        }
        return mixed | 1
    }
}
