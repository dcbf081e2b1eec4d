/// sh: the client's address decides, with its port if `sh-port` is set, by a table of 256 buckets in
/// which every server stands as often in a row as its weight says (ipvs-semantics 2.5).
///
/// A server that cannot take the connection is replaced by another only if `sh-fallback` is set. A
/// server of weight 0 has one bucket in each turn.
final class SourceHashing: Scheduler {
    static let name = "sh"

    private static let bits: UInt32 = 8
    private static let mask = 1 << Int(bits) - 1
    private var buckets = [DestinationIndex](
        repeating: Destination.none, count: 1 << SourceHashing.bits)
    private var flags: ServiceFlags

    init(options: SchedulerOptions) { flags = options.flags }

    func take(_ options: SchedulerOptions) { flags = options.flags }

    func servers(_ servers: borrowing DestinationList, did event: ServerEvent) {
        var (position, left) = (-1, 0)
        for bucket in buckets.indices {
            guard servers.count > 0 else {
                buckets[bucket] = Destination.none
                continue
            }
            if left == 0 {
                position = (position + 1) % servers.count
                left = max(Int(servers[position].weight), 1)
            }
            buckets[bucket] = servers[position].number
            left -= 1
        }
    }

    func schedule(_ request: ScheduleRequest, among servers: borrowing DestinationList)
        -> DestinationIndex?
    {
        guard servers.count > 0 else { return nil }
        let client = AddressHash.client(of: request, withPort: flags.contains(.hashesPort))
        let hash = AddressHash.bucket(client.address &+ client.port, bits: Self.bits)
        if servers.destination(buckets[hash]).isEligible { return buckets[hash] }
        guard flags.contains(.fallsBack) else { return nil }
        for offset in buckets.indices {
            // The kernel adds the hash twice, so that the first probe is bucket 2 * hash.
            let number = buckets[(offset + 2 * hash) & Self.mask]
            if servers.destination(number).isEligible { return number }
        }
        return nil
    }

    func figures(_ request: ScheduleRequest, among servers: borrowing DestinationList)
        -> SchedulerFigures
    {
        let client = AddressHash.client(of: request, withPort: flags.contains(.hashesPort))
        let bucket = AddressHash.bucket(client.address &+ client.port, bits: Self.bits)
        return SchedulerFigures(
            rule: "the server at the bucket of the client"
                + (flags.contains(.fallsBack) ? ", else another by further buckets" : "")
        )
        .saying("bucket", bucket)
        .saying("server", servers, buckets[bucket])
        .addingShares("buckets", buckets, servers)
    }
}

extension ServiceFlags {
    /// `sh-fallback`, `mh-fallback`: another server when the hashed one cannot take the connection.
    static let fallsBack = schedulerFlag1
    /// `sh-port`, `mh-port`: the client's port is hashed too.
    static let hashesPort = schedulerFlag2
}
