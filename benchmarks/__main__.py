"""Every benchmark in a size that takes minutes; each can be run alone with its own arguments."""

from __future__ import annotations

from benchmarks import enforcement, fraudar_injection, identity_ring, left_out, scan_speed


def main() -> None:
    print("# Injected farms, average precision\n")
    fraudar_injection.main(data=None, seeds=3)
    print("\n# A ring on shared devices\n")
    identity_ring.main(seeds=3)
    print("\n# Attacks whose clause has no rules\n")
    left_out.main(markets=1, orders=20_000)
    print("\n# Speed of a scan\n")
    scan_speed.main(orders=50_000)
    print("\n# Enforcement by size\n")
    enforcement.main(sellers=6_000)


if __name__ == "__main__":
    main()
