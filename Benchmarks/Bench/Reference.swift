internal import CReference
internal import LVS

/// What the C reference needs beside the engine's own connection table.
@safe
final class Reference {
    let path: UnsafeMutablePointer<reference_path>
    private static let destinations = 64

    init(_ world: World) {
        let layout = world.director.table.layout
        let hops = world.director.nextHops.table
        unsafe path = .allocate(capacity: 1)
        unsafe path.initialize(to: reference_path())
        unsafe path.pointee.buckets = layout.buckets.assumingMemoryBound(to: UInt8.self)
        unsafe path.pointee.entries = layout.entries.assumingMemoryBound(to: UInt8.self)
        unsafe path.pointee.bucket_count = layout.bucketCount
        unsafe path.pointee.seed0 = layout.seed.0
        unsafe path.pointee.seed1 = layout.seed.1
        unsafe path.pointee.generation = hops.generation

        let destinations = UnsafeMutablePointer<reference_destination>.allocate(
            capacity: Reference.destinations)
        unsafe destinations.initialize(
            repeating: reference_destination(), count: Reference.destinations)
        let counters = UnsafeMutablePointer<reference_counters>.allocate(
            capacity: Reference.destinations)
        unsafe counters.initialize(repeating: reference_counters(), count: Reference.destinations)
        for index in 0..<Reference.destinations {
            unsafe destinations[index].available = 1
            unsafe destinations[index].next_hop = UInt32(
                hops.resolve(World.server(index % World.servers)))
        }
        let copies = UnsafeMutablePointer<reference_hop>.allocate(capacity: NextHopTable.slots)
        unsafe copies.initialize(repeating: reference_hop(), count: NextHopTable.slots)
        for number in 0..<NextHopTable.slots {
            let hop = hops[NextHopIndex(number)]
            unsafe copies[number].word = hop.word.rawValue
            unsafe copies[number].source = hop.sourceHardware.value.byteSwapped >> 16
            unsafe copies[number].mtu = hop.mtu
        }
        unsafe path.pointee.destinations = destinations
        unsafe path.pointee.counters = counters
        unsafe path.pointee.hops = copies
        setStates()
    }

    deinit {
        unsafe path.pointee.destinations.deallocate()
        unsafe path.pointee.counters.deallocate()
        unsafe path.pointee.hops.deallocate()
        unsafe path.deallocate()
    }

    func setTime(_ now: Instant) { unsafe path.pointee.tick = now.tick }

    /// Bucket and entry number of a connection's key.
    func find(_ connection: Int, _ direction: Direction, _ world: World) -> (UInt32, UInt32) {
        let client = World.client(connection)
        var key = World.key(connection)
        if direction == .outbound {
            key = ConnectionKey(
                source: World.server(Int(world.serverOf[connection])), sourcePort: 8080,
                destination: IPAddress(v4: client.address), destinationPort: client.port,
                transport: .tcp)
        }
        var bucket: UInt32 = 0
        let number = unsafe reference_find(path, key.addresses, key.ports, key.transport, &bucket)
        return (bucket, number < 0 ? 0 : UInt32(number))
    }

    private func setStates() {
        let machine = StateMachine()
        unsafe withUnsafeMutableBytes(of: &path.pointee.states) { states in
            for column in StateColumn.allCases {
                for event in TCPEvent.allCases {
                    for state in TCPState.allCases {
                        let index =
                            Int(column.rawValue) * 128 + Int(event.rawValue) * 16
                            + Int(state.rawValue)
                        unsafe states[index] = machine.tcp(from: state, event, column).rawValue
                    }
                }
            }
        }
        unsafe withUnsafeMutableBytes(of: &path.pointee.timeouts) { bytes in
            let timeouts = unsafe bytes.bindMemory(to: UInt32.self)
            for state in TCPState.allCases {
                unsafe timeouts[Int(state.rawValue)] = state.timeoutSeconds
            }
        }
        machine.deallocate()
    }
}
