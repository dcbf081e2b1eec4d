/// The routes of all packets, and of those whose source address has policy rules of its own
/// (`ip rule from`), immutable.
///
/// Prefixes of sources lie within one another or apart: the longest that holds an address tells which
/// rules meet it, and has a table of its own with the routes of all these rules.
@safe
struct PolicyRoutes {
    /// A table for sources that begin alike.
    @safe
    private struct View {
        var source: AddressPrefix
        var routes: RouteTable
    }

    private let general: RouteTable
    /// Longest prefix first.
    private let views: UnsafeMutablePointer<View>
    private let viewCount: Int

    init(_ routes: [Route]) {
        general = RouteTable(routes.filter { $0.source == nil })
        let sources = Set(routes.compactMap(\.source)).sorted {
            ($0.length, $0.address.high, $0.address.low)
                > ($1.length, $1.address.high, $1.address.low)
        }
        viewCount = sources.count
        unsafe views = .allocate(capacity: max(1, sources.count))
        for (index, source) in sources.enumerated() {
            let own = routes.filter { route in route.source.map { $0.contains(source) } ?? true }
            unsafe (views + index).initialize(to: View(source: source, routes: RouteTable(own)))
        }
    }

    func deallocate() {
        for index in 0..<viewCount { unsafe views[index].routes.deallocate() }
        unsafe views.deallocate()
        general.deallocate()
    }

    /// The way to an address for packets with a source, or for those that have none yet.
    func find(_ address: IPAddress, from source: IPAddress?) -> RouteTable.Way {
        if viewCount != 0, let source {
            for index in 0..<viewCount where unsafe views[index].source.contains(source) {
                return unsafe views[index].routes.find(address)
            }
        }
        return general.find(address)
    }
}
