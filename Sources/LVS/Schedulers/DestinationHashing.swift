/// dh: the virtual address decides, by a table of 256 buckets filled with the servers in turn; a
/// server that cannot take the connection is not replaced by another (ipvs-semantics 2.5).
final class DestinationHashing: Scheduler {
    static let name = "dh"

    private static let bits: UInt32 = 8
    private var buckets = [DestinationIndex](
        repeating: Destination.none, count: 1 << DestinationHashing.bits)

    init(options: SchedulerOptions) {}

    func servers(_ servers: borrowing DestinationList, did event: ServerEvent) {
        if case .edited = event { return }
        for bucket in buckets.indices {
            buckets[bucket] =
                servers.count > 0 ? servers[bucket % servers.count].number : Destination.none
        }
    }

    func schedule(_ request: ScheduleRequest, among servers: borrowing DestinationList)
        -> DestinationIndex?
    {
        let address = AddressHash.fold(request.virtual)
        let number = buckets[AddressHash.bucket(address, bits: Self.bits)]
        guard number != Destination.none, servers.destination(number).isEligible else {
            return nil
        }
        return number
    }

    func figures(_ request: ScheduleRequest, among servers: borrowing DestinationList)
        -> SchedulerFigures
    {
        let bucket = AddressHash.bucket(AddressHash.fold(request.virtual), bits: Self.bits)
        return SchedulerFigures(rule: "the server at the bucket of the virtual address")
            .saying("bucket", bucket)
            .saying("server", servers, buckets[bucket])
            .addingShares("buckets", buckets, servers)
    }
}
