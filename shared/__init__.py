"""What two or more services need, in layers that point inwards."""
