/// Chooses a real server for each new connection of one virtual service.
package protocol Scheduler: AnyObject, SendableMetatype {
    /// The name an operator types.
    static var name: String { get }
    /// Most servers a service may have when it takes this scheduler; no limit unless overridden.
    static var mostServers: Int { get }
    init(options: SchedulerOptions)
    /// What happened to the servers, one event a call, since the kernel's schedulers answer each in
    /// their own way (housekeeper, under the service's lock).
    func servers(_ servers: borrowing DestinationList, did event: ServerEvent)
    /// The chosen server, or nil when none can take a connection (worker, per new connection, under
    /// the service's lock).
    func schedule(_ request: ScheduleRequest, among servers: borrowing DestinationList)
        -> DestinationIndex?
    /// The service's flags or the director's settings changed; what the scheduler remembers stays.
    /// Does nothing unless overridden.
    func take(_ options: SchedulerOptions)
    /// Once a second, for schedulers that remember; does nothing unless overridden.
    func tick(_ now: Instant)
    /// True while the scheduler may come back to a deleted server: then the trash keeps it
    /// (ipvs-semantics 3.3).
    func remembers(_ number: DestinationIndex) -> Bool
    /// What the scheduler would compare to answer a request, for people; reads only (as `schedule`).
    ///
    /// Nothing but the load of each server unless overridden.
    func figures(_ request: ScheduleRequest, among servers: borrowing DestinationList)
        -> SchedulerFigures
}

extension Scheduler {
    package static var mostServers: Int { .max }
    package func take(_ options: SchedulerOptions) {}
    package func tick(_ now: Instant) {}
    package func remembers(_ number: DestinationIndex) -> Bool { false }
    package func figures(
        _ request: ScheduleRequest, among servers: borrowing DestinationList
    ) -> SchedulerFigures { SchedulerFigures(rule: "as \(Self.name) chooses") }
}

/// What a service hands to its scheduler when that is made, and again when it changes.
package struct SchedulerOptions: Hashable, Sendable {
    package var flags: ServiceFlags
    package var settings: Settings

    package init(flags: ServiceFlags = [], settings: Settings = Settings()) {
        self.flags = flags
        self.settings = settings
    }
}

/// A change in the servers of a service, told after the list has changed.
package enum ServerEvent: Hashable, Sendable {
    /// The scheduler was chosen just now; the list is what it begins with.
    case started
    case added(DestinationIndex)
    /// Weight, thresholds or method changed.
    case edited(DestinationIndex)
    /// The server that stood at a position, counted from the newest, is gone.
    case removed(DestinationIndex, position: Int)
}

/// The flow that asks for a server, `now` and one random word: all a scheduler may know of a packet.
package struct ScheduleRequest: Hashable, Sendable {
    package var transport: TransportProtocol
    package var client: IPAddress
    /// Ports are host order.
    package var clientPort: UInt16
    package var virtual: IPAddress
    package var virtualPort: UInt16
    package var now: Instant
    package var random: UInt64

    package init(
        transport: TransportProtocol, client: IPAddress, clientPort: UInt16, virtual: IPAddress,
        virtualPort: UInt16, now: Instant, random: UInt64
    ) {
        self.transport = transport
        self.client = client
        self.clientPort = clientPort
        self.virtual = virtual
        self.virtualPort = virtualPort
        self.now = now
        self.random = random
    }
}
