"""Reference data: NHS numbers, drugs and organisations, all effective-dated."""
