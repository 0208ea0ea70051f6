"""Import of TikTok Shop order lists."""

from detector.tiktok.tables import import_tiktok_orders

__all__ = ["import_tiktok_orders"]
