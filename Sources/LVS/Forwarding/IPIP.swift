/// IP in IP: nothing lies between the two headers (RFC 2003; RFC 4213 and RFC 2473 where one of
/// them is IPv6).
enum IPIP {
    static let length = 0
}
