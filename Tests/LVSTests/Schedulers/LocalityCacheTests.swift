import LVS
import TestKit
import Testing

/// What both lblc and lblcr forget, and when (ipvs-semantics 2.7).
@Suite struct LocalityCacheTests {
    @Test(arguments: ["lblc", "lblcr"])
    func unusedAddressIsForgottenByTheThirtiethCollection(_ scheduler: String) throws {
        var settings = Settings()
        try settings.set("lblc_expiration", 600)
        try settings.set("lblcr_expiration", 600)
        let options = SchedulerOptions(settings: settings)
        // B is remembered for address 1 although A is less loaded, until it expires; that is seen
        // half an hour after the start.
        for story in [
            "+A=99 +B=99 ?B ?A@2 /A ?B t1700 ?B",
            "+A=99 +B=99 ?B ?A@2 /A ?B t1500 ?B t400 ?B",
            "+A=99 +B=99 ?B ?A@2 /A ?B t1900 ?A",
        ] {
            #expect(try SchedulerStory.play(scheduler, story, options: options).isEmpty, "\(story)")
        }
    }

    /// Addresses are remembered up to 24,576; from the sixth minute on the collection brings what
    /// nobody used back to 16,384.
    @Test(arguments: ["lblc", "lblcr"])
    func cacheIsLimitedAndShrinks(_ scheduler: String) throws {
        let bench = try SchedulerStory.bench(scheduler, "A=99 B=99")
        var request = HashVectors.request(client: 1, port: 1)
        let pick = { (address: UInt32) in
            request.virtual = IPAddress(v4: 0x0b00_0000 + address)
            return bench.pick(request)
        }
        bench.tick(Instant(nanoseconds: 0))
        #expect((0..<25_000).allSatisfy { pick($0) == "B" })
        for _ in 0..<9 { bench.destination("B")?.bind() }
        #expect(pick(24_575) == "B")
        #expect(pick(24_576) == "A")
        for minute in UInt64(1)...7 { bench.tick(Instant(nanoseconds: minute * 60_000_000_000)) }
        let remembered = (0..<24_576).filter { pick($0) == "B" }.count
        #expect((16_300...16_384).contains(remembered))
    }
}
