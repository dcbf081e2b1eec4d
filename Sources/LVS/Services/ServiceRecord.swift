/// A virtual service as configured, with what the housekeeper knows about it.
final class ServiceRecord {
    var service: VirtualService
    /// What workers see of it.
    let object: Service
    /// Newest first.
    var servers: [ServerRecord] = []
    /// Addresses that servers with FULLNAT see clients by, in the order they were added.
    var locals: [IPAddress] = []
    /// What servers that were deleted from it had counted while they were in it.
    var left = CounterValues()
    var meter: Meter

    init(service: VirtualService, object: Service) {
        self.service = service
        self.object = object
        meter = Meter(from: CounterValues())
    }

    func position(_ address: IPAddress, _ port: UInt16) -> Int? {
        servers.firstIndex { $0.server.address == address && $0.server.port == port }
    }
}

/// A real server as configured, with its number.
struct ServerRecord {
    var server: RealServer
    let number: DestinationIndex
    var meter: Meter
}
