/// What a director did between two feeds, or what it says itself when there is only one.
package struct TopReading {
    /// What happens in a second.
    package struct Rates: Equatable {
        package var connections: Double = 0
        package var inPackets: Double = 0
        package var outPackets: Double = 0
        package var inBytes: Double = 0
        package var outBytes: Double = 0

        var packets: Double { inPackets + outPackets }
        var bytes: Double { inBytes + outBytes }
    }

    /// A drop reason that has been counted.
    package struct Drop: Equatable {
        package var reason: String
        /// Since the director's start.
        package var frames: UInt64
        /// Nil while there is one feed only.
        package var perSecond: Double?
    }

    /// How busy a worker was.
    package struct Load: Equatable {
        /// Share of a CPU's time, 0 to 1; nil while there is one feed only.
        package var share: Double?
        package var framesPerSecond: Double
        /// Frames that came together.
        package var framesPerBurst: Double
    }

    package let feed: TopFeed
    private let before: TopFeed?
    private let seconds: Double
    private let places: [String: Int]

    /// A reading of a feed, `seconds` after another one of the same director if there was one.
    package init(_ feed: TopFeed, after before: TopFeed? = nil, seconds: Double = 0) {
        self.feed = feed
        // A director that has been started anew counts from zero.
        let isSame = before.map { !feed.isOfAnotherDirector(than: $0) } ?? false
        self.before = isSame && seconds > 0 ? before : nil
        self.seconds = seconds
        var places: [String: Int] = [:]
        for (place, service) in (self.before?.services ?? []).enumerated() {
            places[service.title] = place
        }
        self.places = places
    }

    /// Seconds since the feed before; nil while there is one feed only.
    var secondsBetween: Double? { before == nil ? nil : seconds }

    var total: Rates { rates(feed.total, before?.total) }

    package func rates(of service: TopFeed.Service) -> Rates {
        rates(service.statistics, earlier(service)?.statistics)
    }

    package func rates(of server: TopFeed.Server, in service: TopFeed.Service) -> Rates {
        let old = earlier(service)?.servers.first { $0.endpoint == server.endpoint }
        return rates(server.statistics, old?.statistics)
    }

    /// The reasons that have been counted, the busiest first.
    package var drops: [Drop] {
        let drops = feed.drops.filter { $0.frames > 0 }.map { drop in
            var perSecond: Double?
            if let before {
                let old = before.drops.first { $0.reason == drop.reason }?.frames ?? 0
                perSecond = rate(drop.frames, old)
            }
            return Drop(reason: drop.reason, frames: drop.frames, perSecond: perSecond)
        }
        return drops.sorted {
            ($0.perSecond ?? 0, $0.frames, $1.reason) > ($1.perSecond ?? 0, $1.frames, $0.reason)
        }
    }

    package var loads: [Load] {
        feed.workers.enumerated().map { number, worker in
            let old = before.flatMap {
                $0.workers.indices.contains(number) ? $0.workers[number] : nil
            }
            guard let old else { return Load(share: nil, framesPerSecond: 0, framesPerBurst: 0) }
            let frames = rate(worker.frames, old.frames)
            let bursts = rate(worker.bursts, old.bursts)
            return Load(
                share: min(1, rate(worker.cpuNanoseconds, old.cpuNanoseconds) / 1e9),
                framesPerSecond: frames, framesPerBurst: bursts > 0 ? frames / bursts : 0)
        }
    }

    private func earlier(_ service: TopFeed.Service) -> TopFeed.Service? {
        guard let before, let place = places[service.title] else { return nil }
        return before.services[place]
    }

    /// Without an earlier count, the director's own estimate.
    private func rates(_ new: StatisticsRecord, _ old: StatisticsRecord?) -> Rates {
        guard let old else {
            return Rates(
                connections: Double(new.connectionsPerSecond),
                inPackets: Double(new.inPacketsPerSecond),
                outPackets: Double(new.outPacketsPerSecond),
                inBytes: Double(new.inBytesPerSecond), outBytes: Double(new.outBytesPerSecond))
        }
        return Rates(
            connections: rate(new.connections, old.connections),
            inPackets: rate(new.inPackets, old.inPackets),
            outPackets: rate(new.outPackets, old.outPackets),
            inBytes: rate(new.inBytes, old.inBytes), outBytes: rate(new.outBytes, old.outBytes))
    }

    /// Counters that were zeroed in between begin anew.
    private func rate(_ new: UInt64, _ old: UInt64) -> Double {
        Double(new >= old ? new - old : new) / seconds
    }
}
